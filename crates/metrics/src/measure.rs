//! The scores that `meanflow eval` prints, by name.

use ndarray::{ArrayView2, Axis};
use serde::Serialize;

use crate::{MetricError, Source, Statistics, draws::Draw, prepared::Prepared};

/// A score, apart from the space that it is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// `w2`: exact 2-Wasserstein distance, of points.
    W2,
    /// `sliced_w2` of points, `sw2` of pixels: sliced 2-Wasserstein distance, 256 directions.
    SlicedW2,
    /// `energy`: energy distance.
    Energy,
    /// `mmd`: squared maximum mean discrepancy, Gaussian kernel with the real data's [`median_distance`](crate::median_distance).
    Mmd,
    /// `fd_pca64`: Fréchet distance on the real data's first min(64, n − 1, dimension) principal components.
    FdPca64,
    /// `fd`, `fid`, …: Fréchet distance of the features.
    Frechet,
    /// `kid`: kernel inception distance, mean over subsets.
    Kid,
    /// `kid_full`: kernel inception distance of all samples at once.
    KidFull,
    /// `precision`, `recall`, `density`, `coverage`.
    Prdc,
    /// `is`: inception score; needs logits, and no real data.
    InceptionScore,
}

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
    /// What of the measure it is: empty, or one of `precision`, `recall`, `density`, `coverage`, `std`.
    pub part: &'static str,
    /// The number.
    pub value: f64,
    /// About 95 % of it lies between these: two standard errors to both sides, for other samples of the same source and the
    /// same real data.
    pub interval: Option<[f64; 2]>,
    /// Settings that it depends on, by name.
    pub with: Vec<(&'static str, f64)>,
}

impl Value {
    /// A number by itself.
    pub fn alone(value: f64) -> Self {
        Self { part: "", value, interval: None, with: Vec::new() }
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

/// The real side of a score.
#[derive(Clone, Copy, Debug)]
pub enum Real<'a> {
    /// The features themselves.
    Rows(ArrayView2<'a, f32>),
    /// Their mean and covariance, which is enough for a Fréchet distance.
    Statistics(&'a Statistics),
    /// Nothing, which is enough for the inception score.
    None,
}

impl Measure {
    /// Whether it compares with real data at all.
    pub fn needs_real(self) -> bool {
        self != Self::InceptionScore
    }

    /// Whether statistics are enough of the real data.
    pub fn takes_statistics(self) -> bool {
        matches!(self, Self::Frechet | Self::InceptionScore)
    }

    /// Whether it compares sets of equal size only.
    pub fn needs_equal_sizes(self) -> bool {
        matches!(self, Self::W2 | Self::SlicedW2)
    }

    /// Computes it, with intervals from [`Settings::repeats`] random halves of the samples (for [`Measure::Kid`], of each of its
    /// subsets); without where there are fewer than eight, or too few in a half.
    ///
    /// Measures of equal sizes take a keyed choice of the larger set; [`Value::with`] says as `n` how many were compared.
    ///
    /// # Shapes
    /// `samples`: `[n, dimension]`, real rows the same dimension; for [`Measure::InceptionScore`] the samples' logits.
    ///
    /// # Errors
    /// Those of the measure's own function; [`MetricError::NeedsReal`] without real data and [`MetricError::NeedsRows`] with its
    /// statistics where they are not enough; a subset of KID of fewer than
    /// two samples.
    pub fn evaluate(
        self,
        samples: ArrayView2<'_, f32>,
        real: Real<'_>,
        settings: &Settings,
    ) -> Result<Vec<Value>, MetricError> {
        Prepared::new(self, real, *settings)?.evaluate(samples)
    }

    /// What real samples score, without intervals: a keyed choice of `n` of them, at most half, against the rest.
    ///
    /// # Shapes
    /// `real`: `[rows, dimension]`.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn floor(
        self,
        real: ArrayView2<'_, f32>,
        n: usize,
        settings: &Settings,
    ) -> Result<Vec<Value>, MetricError> {
        let rows = real.nrows();
        let chosen = Draw::Floor.choice(rows, n.min(rows / 2), settings.seed);
        let rest = real.select(Axis(0), &Source::rest(rows, &chosen));
        let settings = Settings { repeats: 0, ..*settings };
        self.evaluate(real.select(Axis(0), &chosen).view(), Real::Rows(rest.view()), &settings)
    }

    /// What a value of it, or of a part of it, can be at least and at most.
    pub(crate) fn range(self, part: &str) -> [f64; 2] {
        match (self, part) {
            // Unbiased estimates of what is not negative can be.
            (Self::Kid | Self::KidFull | Self::Mmd, _) => [f64::NEG_INFINITY, f64::INFINITY],
            (Self::Prdc, "precision" | "recall" | "coverage") => [0.0, 1.0],
            _ => [0.0, f64::INFINITY],
        }
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

    /// One of two points against the other, and not against both.
    #[test]
    fn the_floor_compares_with_the_rest() {
        let real = ndarray::array![[0.0f32], [1.0]];
        let found = Measure::Energy.floor(real.view(), 10, &Settings::default()).unwrap();
        assert_eq!((found[0].value, found[0].interval), (2.0, None));
    }

    #[test]
    fn a_mean_has_its_standard_error() {
        let found = Value::mean(&[1.0, 3.0, 5.0]);
        let error = (4.0f64 / 3.0).sqrt();
        assert_eq!((found.value, found.interval), (3.0, Some([3.0 - 2.0 * error, 3.0 + 2.0 * error])));
        assert_eq!(Value::mean(&[2.0]), Value::alone(2.0));
    }
}
