//! Numbers, and the settings that they depend on.

use serde::Serialize;

/// Settings that the values depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Key of directions, subsets and halves.
    pub seed: u64,
    /// Random halves that an interval comes from; below 2, no intervals.
    pub repeats: usize,
    /// Neighbours that the balls of precision, recall, density and coverage reach to.
    pub neighbours: usize,
    /// Subsets of KID.
    pub kid_subsets: usize,
    /// Samples of a subset of KID, at least 2; cut to half of the smaller set. [`Value::with`] says as `size` what was taken.
    pub kid_size: usize,
    /// Splits of the inception score.
    pub splits: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, repeats: 20, neighbours: 5, kid_subsets: 100, kid_size: 1000, splits: 10 }
    }
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The name under which it is printed and logged in place of the metric's, such as `precision` of `prdc`; empty: that of the metric.
    pub part: &'static str,
    /// The number.
    pub value: f64,
    /// About 95 % of it lies between these: two standard errors to both sides, for other samples of the same source and the
    /// same real data.
    pub interval: Option<[f64; 2]>,
    /// Settings that it depends on, by name.
    pub with: Vec<(&'static str, f64)>,
    /// The value of each class, where there are classes; `None` of one without samples.
    pub by_class: Vec<Option<f64>>,
}

impl Value {
    /// A number by itself.
    pub fn alone(value: f64) -> Self {
        Self { part: "", value, interval: None, with: Vec::new(), by_class: Vec::new() }
    }

    /// With settings that it depends on.
    pub fn with(self, with: Vec<(&'static str, f64)>) -> Self {
        Self { with, ..self }
    }

    /// As a part of what a metric gives.
    pub fn part(self, part: &'static str) -> Self {
        Self { part, ..self }
    }

    /// The mean of values, with two of its standard errors to both sides where there are at least two values.
    pub fn mean(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let reach = 2.0 * (variance / n).sqrt();
        let interval = (values.len() > 1).then_some([mean - reach, mean + reach]);
        Self { interval, ..Self::alone(mean) }
    }

    /// A share of `n` samples, with the shares from which it is at most two standard errors away (E. B. Wilson, J. Am. Stat.
    /// Assoc. 22 (1927)).
    pub fn share(share: f64, n: usize) -> Self {
        let (n, z) = (n as f64, 2.0);
        let centre = share + z * z / (2.0 * n);
        let reach = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        let interval = [centre - reach, centre + reach].map(|end| (end / (1.0 + z * z / n)).clamp(0.0, 1.0));
        Self { interval: Some(interval), ..Self::alone(share) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_share_have_it_two_standard_errors_away() {
        for (share, n) in [(0.3, 50), (0.93, 2000), (0.5, 1)] {
            for end in Value::share(share, n).interval.unwrap() {
                let error = (end * (1.0 - end) / n as f64).sqrt();
                assert!(((share - end).abs() - 2.0 * error).abs() < 1e-12, "{share} of {n}: {end}");
            }
        }
        assert_eq!(Value::share(1.0, 10).interval.unwrap()[1], 1.0);
    }

    #[test]
    fn a_mean_has_its_standard_error() {
        let found = Value::mean(&[1.0, 3.0, 5.0]);
        let error = (4.0f64 / 3.0).sqrt();
        assert_eq!((found.value, found.interval), (3.0, Some([3.0 - 2.0 * error, 3.0 + 2.0 * error])));
        assert_eq!(Value::mean(&[2.0]), Value::alone(2.0));
    }
}
