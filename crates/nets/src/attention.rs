//! Weights of attention.

use burn::tensor::{Tensor, backend::Backend};
use meanflow_core::precision::widened;
use meanflow_kernels::softmax;

/// `softmax(q·kᵀ)` over the last dimension, from scaled queries `[…, queries, features]` and keys `[…, features, keys]`.
///
/// The products are taken in the numbers of `q` and `k`, the softmax in single precision at least, as the published code of the
/// U-Net and of iMF does; that of the DiT has no narrower numbers.
pub(crate) fn weights<B: Backend, const D: usize>(q: Tensor<B, D>, k: Tensor<B, D>) -> Tensor<B, D> {
    widened(q.matmul(k), softmax)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        backend::{Autodiff, Flex},
        tensor::{DType, TensorData},
    };

    /// What is lost is the rounding of the result, at most 2⁻⁸ of it; a softmax in bfloat16 rounds its exponents too.
    #[test]
    fn the_softmax_of_bfloat16_is_taken_in_single_precision() {
        type B = Autodiff<Flex>;
        let device = Default::default();
        let narrow = |values: Vec<f32>, shape: [usize; 2]| {
            Tensor::<B, 2>::from_data(TensorData::new(values, shape), &device).cast(DType::BF16)
        };
        let (keys, one) = (300, narrow(vec![1.0], [1, 1]));
        let k = narrow((0..keys).map(|i| 9.0 * (i as f32 * 0.7).sin()).collect(), [1, keys]);
        let logits: Vec<f64> = k.clone().into_data().iter::<f64>().collect();
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let got = weights(one, k);
        assert_eq!(got.dtype(), DType::BF16);
        for (got, logit) in got.into_data().iter::<f64>().zip(&logits) {
            let want = logit.exp() / sum;
            assert!((got / want - 1.0).abs() < 0.00392, "{got}, not {want}");
        }
    }
}
