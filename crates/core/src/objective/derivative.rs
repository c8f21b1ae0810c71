//! Tangents in and out of a loss, on either kind of backend.

use super::TrainBackend;
use burn::tensor::Tensor;
use meanflow_jvp::Dual;

/// A constant as the tangent of an input.
pub fn tangent<B: TrainBackend, const D: usize>(
    direction: Tensor<B::InnerBackend, D>,
) -> Tensor<B::Tangent, D> {
    Tensor::<B, D>::from_inner(direction).value()
}

/// A derivative as a constant: `sg(·)`.
pub fn off_tape<B: TrainBackend, const D: usize>(
    derivative: Tensor<B::Tangent, D>,
) -> Tensor<B::InnerBackend, D> {
    Tensor::<B, D>::from_value(derivative).inner()
}
