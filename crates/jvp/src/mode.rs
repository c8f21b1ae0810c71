//! Where tangents live: beside the tape or on it.

use core::fmt::Debug;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// How the tangents of a backend `A` are represented: [`Untaped`] or [`Taped`].
///
/// Masks and indices are shared between primal and tangent operations, hence the equal int and bool primitives.
pub trait Mode<A: Backend>: Copy + Default + Send + Sync + Debug + 'static {
    /// The backend whose operations compute tangents.
    type Tangent: Backend<
            Device = A::Device,
            FloatElem = A::FloatElem,
            IntElem = A::IntElem,
            BoolElem = A::BoolElem,
            IntTensorPrimitive = A::IntTensorPrimitive,
            BoolTensorPrimitive = A::BoolTensorPrimitive,
        >;

    /// The value of a primal, where the tangent's operations can use it. Shares the buffer.
    fn project(primal: &FloatTensor<A>) -> FloatTensor<Self::Tangent>;

    /// A primal with the given value. Untaped, it is a constant for reverse mode.
    fn lift(value: FloatTensor<Self::Tangent>) -> FloatTensor<A>;
}

/// Tangents live off the tape (the default): reverse mode sees an ordinary forward pass and no more.
///
/// A tangent of `Jvp<Autodiff<B>>` is a tensor of `B`, a tangent of `Jvp<B>` for a plain `B` too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untaped;

/// Tangents live on `A` itself, so that reverse mode differentiates through the Jacobian-vector product.
///
/// Works on every backend, nested forward mode included: `Jvp<Jvp<Flex>, Taped>` gives second derivatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taped;

impl<A: Backend> Mode<A> for Taped {
    type Tangent = A;

    fn project(primal: &FloatTensor<A>) -> FloatTensor<A> {
        primal.clone()
    }

    fn lift(value: FloatTensor<A>) -> FloatTensor<A> {
        value
    }
}

impl<A: OffTape> Mode<A> for Untaped {
    type Tangent = A::Plain;

    fn project(primal: &FloatTensor<A>) -> FloatTensor<A::Plain> {
        A::plain(primal)
    }

    fn lift(value: FloatTensor<A::Plain>) -> FloatTensor<A> {
        A::constant(value)
    }
}

/// A backend whose float tensors have a value off the tape.
///
/// Implemented for `Autodiff<B, C>` over every `B`, and for the plain backends that this crate knows (a blanket
/// implementation would overlap). A plain backend without it loses nothing: use `Jvp<B, Taped>`, where there is no tape.
pub trait OffTape: Backend {
    /// The backend without the tape.
    type Plain: Backend<
            Device = Self::Device,
            FloatElem = Self::FloatElem,
            IntElem = Self::IntElem,
            BoolElem = Self::BoolElem,
            IntTensorPrimitive = Self::IntTensorPrimitive,
            BoolTensorPrimitive = Self::BoolTensorPrimitive,
        >;

    /// The value of a tensor. Shares the buffer.
    fn plain(tensor: &FloatTensor<Self>) -> FloatTensor<Self::Plain>;

    /// A tensor that no gradient reaches.
    fn constant(value: FloatTensor<Self::Plain>) -> FloatTensor<Self>;
}

impl<B: Backend, C: CheckpointStrategy> OffTape for Autodiff<B, C> {
    type Plain = B;

    fn plain(tensor: &FloatTensor<Self>) -> FloatTensor<B> {
        tensor.primitive.clone()
    }

    fn constant(value: FloatTensor<B>) -> FloatTensor<Self> {
        <FloatTensor<Self>>::new(value)
    }
}

/// [`OffTape`] for backends without a tape: the identity.
macro_rules! plain_backend {
    ($(impl [$($generics:tt)*] $backend:ty;)*) => {$(
        impl<$($generics)*> OffTape for $backend {
            type Plain = Self;

            fn plain(tensor: &FloatTensor<Self>) -> FloatTensor<Self> {
                tensor.clone()
            }

            fn constant(value: FloatTensor<Self>) -> FloatTensor<Self> {
                value
            }
        }
    )*};
}

plain_backend! { impl [] Flex; }

#[cfg(feature = "cuda")]
plain_backend! { impl [] burn::backend::Cuda; }
