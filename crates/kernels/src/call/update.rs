//! Updates of parameters.

use std::any::TypeId;

use burn::{
    backend::Flex,
    tensor::{Tensor, TensorMetadata, backend::Backend, ops::FloatTensor},
};

use super::same;
use crate::{
    composed::{self, primitive, tensor},
    kernels::Fused,
    update::{Parameter, Updated},
};

/// `Σ x²` over all tensors, of any ranks, `[1]`; `None` of no tensors. Nothing is read back from the device.
pub fn sum_of_squares<B: Backend>(tensors: Vec<FloatTensor<B>>) -> Option<Tensor<B, 1>> {
    if !tensors.is_empty() && fuses::<B>(tensors.iter()) {
        return Some(tensor(same(Flex::sum_of_squares(same(tensors)))));
    }
    composed::sum_of_squares::<B>(tensors)
}

/// One update of parameters and of their averages: gradients times `scale`, [`Adam`](crate::Adam), then
/// `average ← average + (1 − share)·(value − average)` with the new value. Every parameter has an average a share.
///
/// On Flex it is one pass over memory, which writes in place where nothing else holds the numbers. Nothing is read back from the device.
///
/// # Panics
/// If tensors of a parameter have other shapes than its value, or it has not an average a share.
pub fn update<B: Backend>(
    parameters: Vec<Parameter<B>>,
    scale: Option<Tensor<B, 1>>,
    shares: &[f64],
) -> Vec<Updated<B>> {
    for parameter in &parameters {
        assert_eq!(parameter.averages.len(), shares.len(), "an average a share");
        let shape = parameter.value.shape();
        assert!(
            parameter.tensors().all(|tensor| tensor.shape() == shape),
            "tensors of other shapes than {shape:?}"
        );
    }
    let scale = scale.map(primitive);
    if fuses::<B>(parameters.iter().flat_map(Parameter::tensors).chain(&scale)) {
        return same(Flex::update(same(parameters), same(scale), shares));
    }
    composed::update::<B>(parameters, scale, shares)
}

/// Whether there are kernels for tensors without a tape of this backend and these types.
fn fuses<'a, B: Backend>(mut tensors: impl Iterator<Item = &'a FloatTensor<B>>) -> bool {
    TypeId::of::<B>() == TypeId::of::<Flex>() && tensors.all(|tensor| Flex::fuses(tensor.dtype()))
}
