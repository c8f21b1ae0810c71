//! Axes: ranges, positions and ticks.

use crate::style::{decimals, fixed, superscript};

/// How values are laid out along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// By their logarithm; values that are not positive have no place.
    Log,
}

/// An axis with a range that holds all its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    scale: Scale,
    /// In the scale's own coordinate: values, or their decimal logarithms.
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis that holds the finite ones of the values, with `margin` as a share of the range at each end.
    pub fn holding(values: impl IntoIterator<Item = f64>, scale: Scale, margin: f64) -> Self {
        let inner: Vec<f64> =
            values.into_iter().map(|value| coordinate(scale, value)).filter(|x| x.is_finite()).collect();
        let low = inner.iter().copied().fold(f64::INFINITY, f64::min);
        let high = inner.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match (low.is_finite(), scale) {
            (false, Scale::Linear) => (0.0, 1.0),
            (false, Scale::Log) => (-1.0, 1.0),
            (true, _) if low < high => (low, high),
            (true, Scale::Linear) => (low - 0.5 * low.abs().max(1e-3), high + 0.5 * high.abs().max(1e-3)),
            (true, Scale::Log) => (low - 0.2, high + 0.2),
        };
        let margin = margin * (high - low);
        let (low, high) = (low - margin, high + margin);
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high),
            Scale::Log => log_ticks(low, high),
        };
        Self { scale, low, high, ticks }
    }

    /// The same with these ticks, each labelled by its value.
    pub fn with_ticks(mut self, values: impl IntoIterator<Item = u64>) -> Self {
        self.ticks = values.into_iter().map(|value| (value as f64, value.to_string())).collect();
        self
    }

    /// The same with ticks written short for counts: 50k, 1.5M.
    pub fn with_counts(mut self) -> Self {
        for (value, label) in &mut self.ticks {
            *label = short_count(*value);
        }
        self
    }

    /// The place of a value along the axis, 0 at its low end, 1 at its high end; NaN for a value that has none.
    pub fn place(&self, value: f64) -> f64 {
        (coordinate(self.scale, value) - self.low) / (self.high - self.low)
    }

    /// Ticks within the range, with labels; a label may be empty.
    pub fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks
            .iter()
            .map(|(value, label)| (self.place(*value), label.as_str()))
            .filter(|(place, _)| (-1e-6..=1.0 + 1e-6).contains(place))
    }
}

fn coordinate(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log if value > 0.0 => value.log10(),
        Scale::Log => f64::NAN,
    }
}

/// Ticks of an axis, at most: between numbers that hardly differ, or are hardly numbers, there are no round ones to count.
const TICKS: usize = 24;

/// About five round values.
fn linear_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let raw = (high - low) / 4.5;
    if !raw.is_normal() {
        return Vec::new();
    }
    let power = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= raw).unwrap_or(raw);
    let digits =
        if step >= 1.0 { usize::from(step.fract() > 0.0) } else { decimals(step).saturating_sub(2).max(1) };
    let digits = if (step * 10f64.powi(digits as i32)).fract().abs() > 1e-6 { digits + 1 } else { digits };
    // A thousandth of a step, so that a tick at the very end is not lost to rounding.
    let first = (low / step - 1e-3).ceil() as i64;
    (first..)
        .map(|k| k as f64 * step)
        .take_while(|value| *value <= high + 1e-3 * step)
        .take(TICKS)
        .map(|v| (v, fixed(v, digits)))
        .collect()
}

/// Powers of ten; with few of them in range also 2 and 5 times; with hardly a decade, round values.
fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let span = high - low;
    if span < 0.5 {
        let (low, high) = (10f64.powf(low), 10f64.powf(high));
        return linear_ticks(low, high).into_iter().filter(|(value, _)| *value > 0.0).collect();
    }
    let factors: &[f64] = if span > 3.0 {
        &[1.0]
    } else if span > 1.6 {
        &[1.0, 3.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let every = (span / 6.0).ceil() as i32;
    (low.floor() as i32..=high.ceil() as i32)
        .filter(|power| power.rem_euclid(every) == 0)
        .flat_map(|power| factors.iter().map(move |factor| (factor * 10f64.powi(power), power)))
        .map(|(value, power)| (value, log_label(value, power)))
        .collect()
}

fn log_label(value: f64, power: i32) -> String {
    if (-3..=5).contains(&power) {
        fixed(value, usize::try_from(-power).unwrap_or(0))
    } else {
        let factor = (value / 10f64.powi(power)).round();
        let factor = if factor == 1.0 { String::new() } else { format!("{factor}×") };
        format!("{factor}10{}", superscript(power))
    }
}

fn short_count(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        size if size >= 1e18 => (value / 1e18, "E"),
        size if size >= 1e15 => (value / 1e15, "P"),
        size if size >= 1e12 => (value / 1e12, "T"),
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{}{suffix}", (scaled * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().map(|(_, label)| label.to_owned()).collect()
    }

    #[test]
    fn round_ticks() {
        let linear = |low, high| labels(&Axis::holding([low, high], Scale::Linear, 0.0));
        assert_eq!(linear(0.0, 1.0), ["0.00", "0.25", "0.50", "0.75", "1.00"]);
        assert_eq!(linear(-10.0, 90.0), ["0", "25", "50", "75"]);
        assert_eq!(linear(0.0, 9.0), ["0", "2", "4", "6", "8"]);
        let log = |low, high| labels(&Axis::holding([low, high], Scale::Log, 0.0));
        assert_eq!(log(0.1, 2.0), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(log(1.0, 1e4), ["1", "10", "100", "1,000", "10,000"]);
        assert_eq!(log(1e-8, 1e4), ["10⁻⁸", "10⁻⁶", "10⁻⁴", "0.01", "1", "100", "10,000"]);
        assert_eq!(log(20.0, 40.0), ["20", "25", "30", "35", "40"]);
    }

    #[test]
    fn ranges_that_are_hardly_ranges() {
        for (low, high) in
            [(0.0, 5e-324), (-1e308, 1e308), (1.0, 1.0 + f64::EPSILON), (1e300, 1.1e300), (-5e-324, 1e-310)]
        {
            for scale in [Scale::Linear, Scale::Log] {
                assert!(Axis::holding([low, high], scale, 0.06).ticks().count() <= TICKS, "{low} to {high}");
            }
        }
    }

    #[test]
    fn places() {
        let axis = Axis::holding([1.0, 100.0, f64::NAN, -1.0], Scale::Log, 0.0);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-12);
        assert!(axis.place(0.0).is_nan());
        // Nothing, or one value only, still makes a range.
        for values in [vec![], vec![3.0], vec![f64::INFINITY]] {
            for scale in [Scale::Linear, Scale::Log] {
                let axis = Axis::holding(values.clone(), scale, 0.1);
                assert!(
                    (0.0..=1.0).contains(&axis.place(if values == [3.0] { 3.0 } else { 0.5 })),
                    "{values:?}"
                );
            }
        }
        let counts = Axis::holding([0.0, 172_800.0], Scale::Linear, 0.0).with_counts();
        assert_eq!(labels(&counts), ["0", "50k", "100k", "150k"]);
    }
}
