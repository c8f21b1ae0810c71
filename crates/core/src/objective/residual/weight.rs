//! The loss of a row, from its error.

use crate::{interpolant::squared_norm, weight::Weight};
use burn::tensor::{Tensor, backend::Backend};

/// The loss of a row with the error `Δ = F − target`: `factor·m/sg(m + eps)^p`, and with a learned log-variance `l` what is said there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowWeight {
    /// What `m` is.
    pub measure: Measured,
    /// Whether `1 − cos(F, target)` over the channels, its mean over the places, is added to `m` (TiM, FACM).
    pub cosine: bool,
    /// Power and constant.
    pub weight: Weight,
    /// A factor of the row.
    pub factor: Factor,
    /// What a learned log-variance does.
    pub learned: Learned,
}

/// The size of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// `‖Δ‖²`, the sum over the elements.
    Sum,
    /// The mean over the elements.
    Mean,
    /// `‖Δ‖⁴` (MeanFlow-RAE).
    Square,
}

/// A factor of a row's loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Factor {
    /// The same for all rows.
    Constant(f64),
    /// `sin(πt/2)` (FACM).
    Sine,
    /// `1/√(d + σ)` of the distance `d`, 1 on rows with `r = t` (TiM).
    Root(Gap),
    /// `1/(d² + σ²)` likewise (TiM).
    Square(Gap),
}

/// A distance of two times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// Its scale `σ`.
    pub sigma: f64,
    /// Whether `d = tan t − tan r` rather than `t − r`.
    pub tangent: bool,
}

impl Gap {
    fn distance(self, r: f64, t: f64) -> f64 {
        if self.tangent { t.tan() - r.tan() } else { t - r }
    }
}

impl Factor {
    /// That of a row; `still` if `r = t`.
    pub(super) fn of(self, r: f64, t: f64, still: bool) -> f64 {
        match self {
            Self::Constant(factor) => factor,
            Self::Sine => (std::f64::consts::FRAC_PI_2 * t).sin(),
            Self::Root(_) | Self::Square(_) if still => 1.0,
            Self::Root(gap) => (gap.distance(r, t) + gap.sigma).sqrt().recip(),
            Self::Square(gap) => (gap.distance(r, t).powi(2) + gap.sigma.powi(2)).recip(),
        }
    }
}

/// What a learned log-variance `l` does to the loss `m` of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Learned {
    /// There is none.
    Off,
    /// `exp(−l)·m + l` (sCM, ESC).
    Gaussian,
    /// `ln(exp(−l)·m + eps) + l` (DMF).
    Cauchy(f64),
}

impl RowWeight {
    /// The loss of each row, `[batch]`; `factors` are of the rows, `log` their log-variances.
    pub(in crate::objective) fn rows<B: Backend>(
        &self,
        output: Tensor<B, 4>,
        target: Tensor<B, 4>,
        factors: Tensor<B, 1>,
        log: Option<Tensor<B, 1>>,
    ) -> Tensor<B, 1> {
        let elements: usize = output.dims()[1..].iter().product();
        let sum = squared_norm(output.clone() - target.clone());
        let mut size = match self.measure {
            Measured::Sum => sum,
            // A product, since Burn's reverse mode divides by a scalar in single precision.
            Measured::Mean => sum * (1.0 / elements as f64),
            Measured::Square => sum.clone() * sum,
        };
        if self.cosine {
            size = size + apart(output, target);
        }
        let rows = self.weight.rows(size) * factors;
        match (self.learned, log) {
            (Learned::Gaussian, Some(log)) => rows * log.clone().neg().exp() + log,
            (Learned::Cauchy(eps), Some(log)) => (rows * log.clone().neg().exp() + eps).log() + log,
            (Learned::Cauchy(eps), None) => (rows + eps).log(),
            (Learned::Off | Learned::Gaussian, _) => rows,
        }
    }
}

/// `1 − cos(a, b)` over the channels, the mean over the places, `[batch]`.
fn apart<B: Backend>(a: Tensor<B, 4>, b: Tensor<B, 4>) -> Tensor<B, 1> {
    let [rows, _, height, width] = a.dims();
    let norm = |a: &Tensor<B, 4>| (a.clone() * a.clone()).sum_dim(1).clamp_min(1e-16).sqrt();
    let cosine = (a.clone() * b.clone()).sum_dim(1) / (norm(&a) * norm(&b));
    let places = height * width;
    (cosine.reshape([rows, places]).sum_dim(1).reshape([rows]) * (1.0 / places as f64)).neg() + 1.0
}
