//! Adaptive loss weight (MeanFlow, equation 22 of arXiv 2505.13447, after Geng et al. 2024).

use burn::tensor::{Tensor, backend::Backend};
use meanflow_settings::{Number, Reader};

/// `w = 1/(‖Δ‖² + eps)^p`, under stop-gradient; `‖Δ‖²` is the *sum* over the elements of a sample.
///
/// `p = 0` is the plain squared error, `p = 0.5` behaves like Pseudo-Huber, `p = 1` normalises the gradient of each sample
/// (its loss is then pinned near 1: watch the raw error).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// Power, at least 0.
    pub p: f64,
    /// Added to the squared error, positive.
    pub eps: f64,
}

impl Weight {
    /// The table `weight`.
    pub fn read(r: &mut Reader, default: Self) -> Self {
        let node = r.node("weight");
        r.nested("weight", node, |r| Self {
            p: r.get("p", Number::NOT_NEGATIVE, default.p),
            eps: r.get("eps", Number::POSITIVE, default.eps),
        })
    }

    /// Mean over the batch of `w·‖Δ‖²`; `squared` is `[batch]`, the result `[1]`.
    pub fn loss<B: Backend>(&self, squared: Tensor<B, 1>) -> Tensor<B, 1> {
        self.rows(squared).mean()
    }

    /// `w·‖Δ‖²` of each row, `[batch]`.
    pub fn rows<B: Backend>(&self, squared: Tensor<B, 1>) -> Tensor<B, 1> {
        if self.p == 0.0 {
            return squared;
        }
        let scale = squared.clone().detach() + self.eps;
        let scale = if self.p == 1.0 { scale } else { scale.powf_scalar(self.p) };
        squared / scale
    }
}
