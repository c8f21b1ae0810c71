//! Linear layers with what follows them.

use burn::{
    nn::Linear,
    tensor::{Tensor, backend::Backend},
};
use meanflow_kernels::Activation;

/// `act(x·W + b)` along the last dimension.
pub(crate) fn linear<B: Backend, const D: usize>(
    layer: &Linear<B>,
    x: Tensor<B, D>,
    activation: Activation,
) -> Tensor<B, D> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    meanflow_kernels::linear(x, layer.weight.val(), bias, activation)
}
