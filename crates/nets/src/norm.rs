//! Layer normalisation without weights.

use burn::tensor::{Tensor, backend::Backend};
use meanflow_core::precision::widened;

/// `(x − mean) / √(var + 1e-6)` of each row, `[rows, width]`; the variance is the biased one.
pub fn layer_norm<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    widened(x, |x| {
        let centered = x.clone() - x.mean_dim(1);
        let variance = (centered.clone() * centered.clone()).mean_dim(1);
        centered * (variance + 1e-6).sqrt().recip()
    })
}
