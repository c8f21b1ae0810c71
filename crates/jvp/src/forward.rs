//! Attaching and reading tangents: [`ForwardMode`] on backends, [`Dual`] on tensors.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

use crate::backend::Jvp;
use crate::mode::Mode;
use crate::tensor::JvpTensor;

/// A backend whose float tensors carry tangents.
pub trait ForwardMode: Backend {
    /// The backend of the tangents: `B` for `Jvp<Autodiff<B>>` and `Jvp<B>`, `A` for `Jvp<A, Taped>`.
    type Tangent: Backend<
            Device = Self::Device,
            FloatElem = Self::FloatElem,
            IntElem = Self::IntElem,
            BoolElem = Self::BoolElem,
            IntTensorPrimitive = Self::IntTensorPrimitive,
            BoolTensorPrimitive = Self::BoolTensorPrimitive,
        >;

    /// Replaces the tangent of a primitive.
    ///
    /// # Panics
    ///
    /// If shape or dtype of the tangent is not the primal's.
    fn set_tangent(
        tensor: FloatTensor<Self>,
        tangent: Option<FloatTensor<Self::Tangent>>,
    ) -> FloatTensor<Self>;

    /// Takes a primitive apart: without its tangent, and the tangent.
    fn split_tangent(tensor: FloatTensor<Self>) -> (FloatTensor<Self>, Option<FloatTensor<Self::Tangent>>);

    /// The value of a primitive as a tensor of the tangent's backend. Shares the buffer.
    fn value(tensor: &FloatTensor<Self>) -> FloatTensor<Self::Tangent>;

    /// A primitive without tangent from a tensor of the tangent's backend.
    fn constant(value: FloatTensor<Self::Tangent>) -> FloatTensor<Self>;
}

impl<A: Backend, M: Mode<A>> ForwardMode for Jvp<A, M> {
    type Tangent = M::Tangent;

    fn set_tangent(
        tensor: FloatTensor<Self>,
        tangent: Option<FloatTensor<Self::Tangent>>,
    ) -> FloatTensor<Self> {
        JvpTensor::new(tensor.primal, tangent)
    }

    fn split_tangent(tensor: FloatTensor<Self>) -> (FloatTensor<Self>, Option<FloatTensor<Self::Tangent>>) {
        (JvpTensor::constant(tensor.primal), tensor.tangent)
    }

    fn value(tensor: &FloatTensor<Self>) -> FloatTensor<Self::Tangent> {
        tensor.value()
    }

    fn constant(value: FloatTensor<Self::Tangent>) -> FloatTensor<Self> {
        JvpTensor::constant(M::lift(value))
    }
}

/// Tangents of a [`Tensor`] on a [`ForwardMode`] backend.
///
/// ```
/// use burn::{backend::{Autodiff, Flex}, tensor::Tensor};
/// use meanflow_jvp::{Dual, Jvp};
/// type B = Jvp<Autodiff<Flex>>;
///
/// let device = Default::default();
/// let x = Tensor::<B, 1>::from_floats([1.0, 2.0], &device);
/// let dx = Tensor::<Flex, 1>::from_floats([1.0, -1.0], &device);
/// let y = x.with_tangent(dx).powi_scalar(2);
/// assert_eq!(y.tangent().unwrap().into_data().to_vec::<f32>().unwrap(), [2.0, -4.0]);
/// ```
pub trait Dual<B: ForwardMode, const D: usize>: Sized {
    /// The tensor with the given tangent in place of its own.
    ///
    /// # Panics
    ///
    /// If shape or dtype of the tangent is not the tensor's.
    fn with_tangent(self, tangent: Tensor<B::Tangent, D>) -> Self;

    /// The tangent; `None` is zero.
    fn tangent(&self) -> Option<Tensor<B::Tangent, D>>;

    /// The tangent, with zeros where there is none.
    fn tangent_or_zeros(&self) -> Tensor<B::Tangent, D>;

    /// The tensor as a constant of forward mode. Reverse mode still goes through it.
    fn without_tangent(self) -> Self;

    /// The tensor without its tangent, and the tangent.
    fn split_tangent(self) -> (Self, Option<Tensor<B::Tangent, D>>);

    /// The value on the backend of the tangents: off the tape in the default mode. Shares the buffer.
    fn value(&self) -> Tensor<B::Tangent, D>;

    /// A tensor without tangent from one on the backend of the tangents. No gradient reaches it in the default mode.
    fn from_value(value: Tensor<B::Tangent, D>) -> Self;
}

impl<B: ForwardMode, const D: usize> Dual<B, D> for Tensor<B, D> {
    fn with_tangent(self, tangent: Tensor<B::Tangent, D>) -> Self {
        wrap(B::set_tangent(unwrap(self), Some(unwrap(tangent))))
    }

    fn tangent(&self) -> Option<Tensor<B::Tangent, D>> {
        B::split_tangent(unwrap(self.clone())).1.map(wrap)
    }

    fn tangent_or_zeros(&self) -> Tensor<B::Tangent, D> {
        Dual::tangent(self).unwrap_or_else(|| Tensor::zeros(self.shape(), (&self.device(), self.dtype())))
    }

    fn without_tangent(self) -> Self {
        wrap(B::split_tangent(unwrap(self)).0)
    }

    fn split_tangent(self) -> (Self, Option<Tensor<B::Tangent, D>>) {
        let (primal, tangent) = B::split_tangent(unwrap(self));
        (wrap(primal), tangent.map(wrap))
    }

    fn value(&self) -> Tensor<B::Tangent, D> {
        wrap(B::value(&unwrap(self.clone())))
    }

    fn from_value(value: Tensor<B::Tangent, D>) -> Self {
        wrap(B::constant(unwrap(value)))
    }
}

fn wrap<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

fn unwrap<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}
