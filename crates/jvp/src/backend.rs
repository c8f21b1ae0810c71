//! `Jvp<A, M>` as a Burn backend: everything but the operations.

use core::marker::PhantomData;

#[cfg(feature = "distributed")]
use burn::tensor::backend::distributed::{DistributedParamId, DistributedParams};
use burn::tensor::backend::{AutodiffBackend, Backend, BackendTypes, DTypeUsageSet, ExecutionError};
use burn::tensor::ops::{BoolTensor, FloatTensor, IntTensor, QuantizedTensor};
use burn::tensor::{DType, TensorData};

use crate::mode::{Mode, Untaped};
use crate::tensor::JvpTensor;

/// Forward-mode automatic differentiation on a backend `A`.
///
/// A float tensor is a primal of `A` and an optional tangent; int, bool and quantised tensors are those of `A`. Every
/// module that is generic over `B: Backend` gets a Jacobian-vector product by running on this backend. Without
/// tangents each operation is the one of `A`. The mode `M` says where tangents live: [`Untaped`] or
/// [`Taped`](crate::Taped).
#[derive(Clone, Copy, Debug, Default)]
pub struct Jvp<A, M = Untaped> {
    _types: PhantomData<(A, M)>,
}

impl<A: Backend, M: Mode<A>> BackendTypes for Jvp<A, M> {
    type Device = A::Device;
    type FloatTensorPrimitive = JvpTensor<A, M>;
    type FloatElem = A::FloatElem;
    type IntTensorPrimitive = A::IntTensorPrimitive;
    type IntElem = A::IntElem;
    type BoolTensorPrimitive = A::BoolTensorPrimitive;
    type BoolElem = A::BoolElem;
    type QuantizedTensorPrimitive = A::QuantizedTensorPrimitive;
}

#[deny(clippy::missing_trait_methods)]
impl<A: Backend, M: Mode<A>> Backend for Jvp<A, M> {
    fn ad_enabled(device: &Self::Device) -> bool {
        A::ad_enabled(device)
    }

    fn memory_persistent_allocations<Output: Send, Input: Send, Func: Fn(Input) -> Output + Send>(
        device: &Self::Device,
        input: Input,
        func: Func,
    ) -> Output {
        A::memory_persistent_allocations(device, input, func)
    }

    fn memory_cleanup(device: &Self::Device) {
        A::memory_cleanup(device)
    }

    fn name(device: &Self::Device) -> String {
        format!("jvp<{}>", A::name(device))
    }

    fn seed(device: &Self::Device, seed: u64) {
        A::seed(device, seed)
    }

    fn sync(device: &Self::Device) -> Result<(), ExecutionError> {
        A::sync(device)
    }

    fn staging<'a, Iter>(data: Iter, device: &Self::Device)
    where
        Iter: Iterator<Item = &'a mut TensorData>,
    {
        A::staging(data, device)
    }

    fn supports_dtype(device: &Self::Device, dtype: DType) -> bool {
        A::supports_dtype(device, dtype)
    }

    fn dtype_usage(device: &Self::Device, dtype: DType) -> DTypeUsageSet {
        A::dtype_usage(device, dtype)
    }

    fn device_count(type_id: u16) -> usize {
        A::device_count(type_id)
    }
}

/// Reverse mode of `A`: tangents take no part in it, and the inner backend has none.
#[deny(clippy::missing_trait_methods)]
impl<A: AutodiffBackend, M: Mode<A>> AutodiffBackend for Jvp<A, M> {
    type InnerBackend = A::InnerBackend;
    type Gradients = A::Gradients;

    fn backward(tensor: FloatTensor<Self>) -> Self::Gradients {
        A::backward(tensor.primal)
    }

    fn grad(tensor: &FloatTensor<Self>, grads: &Self::Gradients) -> Option<FloatTensor<Self::InnerBackend>> {
        A::grad(&tensor.primal, grads)
    }

    fn grad_remove(
        tensor: &FloatTensor<Self>,
        grads: &mut Self::Gradients,
    ) -> Option<FloatTensor<Self::InnerBackend>> {
        A::grad_remove(&tensor.primal, grads)
    }

    fn grad_replace(
        tensor: &FloatTensor<Self>,
        grads: &mut Self::Gradients,
        grad: FloatTensor<Self::InnerBackend>,
    ) {
        A::grad_replace(&tensor.primal, grads, grad)
    }

    fn inner(tensor: FloatTensor<Self>) -> FloatTensor<Self::InnerBackend> {
        A::inner(tensor.primal)
    }

    fn int_inner(tensor: IntTensor<Self>) -> IntTensor<Self::InnerBackend> {
        A::int_inner(tensor)
    }

    fn bool_inner(tensor: BoolTensor<Self>) -> BoolTensor<Self::InnerBackend> {
        A::bool_inner(tensor)
    }

    fn q_inner(tensor: QuantizedTensor<Self>) -> QuantizedTensor<Self::InnerBackend> {
        A::q_inner(tensor)
    }

    fn from_inner(tensor: FloatTensor<Self::InnerBackend>) -> FloatTensor<Self> {
        JvpTensor::constant(A::from_inner(tensor))
    }

    fn int_from_inner(tensor: IntTensor<Self::InnerBackend>) -> IntTensor<Self> {
        A::int_from_inner(tensor)
    }

    fn bool_from_inner(tensor: BoolTensor<Self::InnerBackend>) -> BoolTensor<Self> {
        A::bool_from_inner(tensor)
    }

    fn q_from_inner(tensor: QuantizedTensor<Self::InnerBackend>) -> QuantizedTensor<Self> {
        A::q_from_inner(tensor)
    }

    #[cfg(feature = "distributed")]
    fn set_distributed_params(tensor: FloatTensor<Self>, param_id: DistributedParamId) -> FloatTensor<Self> {
        JvpTensor { primal: A::set_distributed_params(tensor.primal, param_id), tangent: tensor.tangent }
    }

    #[cfg(feature = "distributed")]
    fn distributed_params(tensor: &FloatTensor<Self>) -> Option<DistributedParams> {
        A::distributed_params(&tensor.primal)
    }

    #[cfg(feature = "distributed")]
    fn is_distributed(tensor: &FloatTensor<Self>) -> bool {
        A::is_distributed(&tensor.primal)
    }
}
