//! Numbers.

use crate::{
    scalar::{Scalar, Wrong},
    tree::{Node, Value},
};

/// A finite number for which a condition holds.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    holds: fn(f64) -> bool,
    must: &'static str,
}

impl Number {
    /// Any finite number.
    pub const ANY: Self = Self::new(|_| true, "be finite");
    /// Above 0.
    pub const POSITIVE: Self = Self::new(|x| x > 0.0, "be above 0");
    /// Above 1.
    pub const ABOVE_ONE: Self = Self { holds: |x| x > 1.0, must: "be above 1" };
    /// At least 1.
    pub const AT_LEAST_ONE: Self = Self { holds: |x| x >= 1.0, must: "be at least 1" };
    /// At least 0.
    pub const NOT_NEGATIVE: Self = Self::new(|x| x >= 0.0, "be at least 0");
    /// From 0 to 1.
    pub const UNIT: Self = Self::new(|x| (0.0..=1.0).contains(&x), "be between 0 and 1");
    /// From 0 to 1, without 1.
    pub const BELOW_ONE: Self = Self::new(|x| (0.0..1.0).contains(&x), "be at least 0 and below 1");

    /// A finite number for which `holds` holds, and what it must do for that: "be above 0".
    pub const fn new(holds: fn(f64) -> bool, must: &'static str) -> Self {
        Self { holds, must }
    }
}

impl Scalar for Number {
    type Out = f64;

    fn expected(&self) -> String {
        match self.must.strip_prefix("be ") {
            Some("finite") => "a number".into(),
            Some(what) => format!("a number {what}"),
            None => format!("a number that must {}", self.must),
        }
    }

    fn read(&self, node: &Node) -> Result<f64, Wrong> {
        let number = match node.value {
            Value::Float(number) => number,
            Value::Integer(number) => number as f64,
            _ => return Err(Wrong::Type("a number".into())),
        };
        if !number.is_finite() {
            Err(Wrong::Must("be finite".into()))
        } else if !(self.holds)(number) {
            Err(Wrong::Must(self.must.into()))
        } else {
            Ok(number)
        }
    }

    fn show(&self, number: &f64) -> String {
        format!("{number:?}")
    }

    fn blank(&self) -> f64 {
        0.0
    }
}

/// An integer from `.0` to `.1`.
#[derive(Clone, Copy, Debug)]
pub struct Within(pub usize, pub usize);

impl Within {
    /// What TOML can hold.
    pub const LARGEST: usize = i64::MAX as usize;

    /// A size that is multiplied with others: small enough that no product overflows.
    pub const SIZE: Self = Self(1, 1 << 16);

    /// A number of samples.
    pub const SAMPLES: Self = Self(1, 1 << 24);
}

impl Scalar for Within {
    type Out = usize;

    fn expected(&self) -> String {
        match self {
            Self(least, Self::LARGEST) => format!("an integer, at least {least}"),
            Self(least, most) => format!("an integer from {least} to {most}"),
        }
    }

    fn read(&self, node: &Node) -> Result<usize, Wrong> {
        let Value::Integer(integer) = node.value else { return Err(Wrong::Type("an integer".into())) };
        match usize::try_from(integer) {
            Ok(count) if (self.0..=self.1).contains(&count) => Ok(count),
            Ok(count) if count > self.1 => Err(Wrong::Must(format!("be at most {}", self.1))),
            Err(_) if integer > 0 => Err(Wrong::Must(format!("be at most {}", self.1))),
            _ => Err(Wrong::Must(format!("be at least {}", self.0))),
        }
    }

    fn show(&self, count: &usize) -> String {
        count.to_string()
    }

    fn blank(&self) -> usize {
        self.0.max(1)
    }
}
