//! One grammar for every period and length: `"200 steps"`, `"1 epoch"`, `"500 kimg"`, `"2k steps"`, `"10000 images"`.

use std::{fmt, str::FromStr};

/// What a period counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Updates of the weights.
    Steps,
    /// Passes over the data.
    Epochs,
    /// Samples seen.
    Images,
}

/// A length of training in the unit it was written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Every {
    /// How many, at least 0 and finite.
    pub count: f64,
    /// Of what.
    pub unit: Unit,
}

/// Why a period cannot be read or counted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PeriodError {
    /// The text is not of the grammar.
    #[error("`{0}` is not a period")]
    Grammar(String),
    /// Epochs of data whose size is not known, or that has no end.
    #[error("epochs cannot be counted: the number of samples is not known")]
    Endless,
    /// A part of a step.
    #[error("{0} steps is not a whole number of steps")]
    Fraction(f64),
}

impl Every {
    /// Shown beside a period that cannot be read.
    pub const GRAMMAR: &'static str = "write an integer (steps) or a text such as \"200 steps\", \"2k steps\", \"1 epoch\", \"10000 images\", \"500 kimg\"";

    /// A number of steps.
    pub fn steps(count: u64) -> Self {
        Self { count: count as f64, unit: Unit::Steps }
    }

    /// Samples seen in this time, with `items` samples in the data (`None`: not known, or drawn without end).
    ///
    /// # Errors
    /// [`PeriodError::Endless`] for epochs without `items`.
    pub fn images(&self, batch: usize, items: Option<usize>) -> Result<f64, PeriodError> {
        Ok(match self.unit {
            Unit::Steps => self.count * batch as f64,
            Unit::Images => self.count,
            Unit::Epochs => self.count * items.ok_or(PeriodError::Endless)? as f64,
        })
    }

    /// Number of steps of `batch` samples nearest to this time; at least 1 unless the period is 0.
    ///
    /// # Errors
    /// [`PeriodError::Endless`] for epochs without `items`, [`PeriodError::Fraction`] for a part of a step.
    pub fn in_steps(&self, batch: usize, items: Option<usize>) -> Result<u64, PeriodError> {
        if self.unit == Unit::Steps {
            let whole = self.count.fract() == 0.0;
            return if whole { Ok(self.count as u64) } else { Err(PeriodError::Fraction(self.count)) };
        }
        let steps = (self.images(batch, items)? / batch as f64).round() as u64;
        Ok(if self.count > 0.0 { steps.max(1) } else { 0 })
    }
}

impl FromStr for Every {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let wrong = || PeriodError::Grammar(text.to_string());
        let trimmed = text.trim();
        let digits =
            trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).ok_or_else(wrong)?;
        let (number, rest) = trimmed.split_at(digits);
        let number: f64 = number.replace('_', "").parse().map_err(|_| wrong())?;
        // A scale stands right after the number ("2k steps") or is part of the unit ("500 kimg").
        let (scale, unit) = match rest.as_bytes() {
            [b'k', b' ', ..] => (1e3, &rest[1..]),
            [b'M', b' ', ..] => (1e6, &rest[1..]),
            _ => (1.0, rest),
        };
        let (scale, unit) = match unit.trim() {
            "step" | "steps" => (scale, Unit::Steps),
            "epoch" | "epochs" => (scale, Unit::Epochs),
            "image" | "images" | "img" => (scale, Unit::Images),
            "kimg" => (scale * 1e3, Unit::Images),
            "Mimg" => (scale * 1e6, Unit::Images),
            _ => return Err(wrong()),
        };
        let count = number * scale;
        if count.is_finite() { Ok(Self { count, unit }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = match self.unit {
            Unit::Steps => ("step", "steps"),
            Unit::Epochs => ("epoch", "epochs"),
            Unit::Images => ("image", "images"),
        };
        write!(f, "{} {}", self.count, if self.count == 1.0 { one } else { many })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for (text, shown) in [
            ("200 steps", "200 steps"),
            ("1 step", "1 step"),
            ("1 epoch", "1 epoch"),
            ("0.5 epochs", "0.5 epochs"),
            ("500 kimg", "500000 images"),
            ("2k steps", "2000 steps"),
            ("2.5k steps", "2500 steps"),
            ("1 Mimg", "1000000 images"),
            ("1M images", "1000000 images"),
            ("10_000 images", "10000 images"),
            (" 10000 images ", "10000 images"),
            ("3steps", "3 steps"),
        ] {
            let every: Every = text.parse().unwrap();
            assert_eq!(every.to_string(), shown);
            assert_eq!(shown.parse(), Ok(every));
        }
        for text in [
            "",
            "steps",
            "200",
            "-1 steps",
            "2 k steps",
            "1e3 steps",
            "1.2.3 steps",
            "200 stepz",
            "5 min",
            "9k",
        ] {
            assert_eq!(text.parse::<Every>(), Err(PeriodError::Grammar(text.into())));
        }
    }

    #[test]
    fn counting() {
        let steps = |text: &str, items| text.parse::<Every>().unwrap().in_steps(64, items);
        assert_eq!(steps("200 steps", None), Ok(200));
        assert_eq!(steps("1 epoch", Some(10_000)), Ok(156));
        assert_eq!(steps("500 kimg", None), Ok(7813));
        assert_eq!(steps("1 image", None), Ok(1));
        assert_eq!(steps("0 images", None), Ok(0));
        assert_eq!(steps("1 epoch", None), Err(PeriodError::Endless));
        assert_eq!(steps("1.5 steps", None), Err(PeriodError::Fraction(1.5)));
    }
}
