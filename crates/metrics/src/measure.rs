//! The scores that `meanflow eval` prints, by name.

use ndarray::ArrayView2;
use serde::Serialize;

use crate::{MetricError, Statistics, prepared::Prepared};

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
