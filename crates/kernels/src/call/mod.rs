//! The operations for any backend: its kernels where it has some, else Burn's operations.

mod tokens;
mod update;

use std::any::{Any, TypeId};

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, backend::Backend, ops::FloatTensor},
};
use meanflow_jvp::{Jvp, Taped};

pub use tokens::{attention, gated_sum, linear, modulated_norm};
pub use update::{sum_of_squares, update};

use crate::{
    composed::{self, primitive, tensor},
    kernels::Kernels,
    operands::{Activation, GroupNorm},
};

/// [`GroupNorm`] of `[batch, channels, height, width]`; `weight` and `bias` are `[channels]`.
///
/// # Panics
/// If the groups do not divide the channels, or the shapes disagree.
pub fn group_norm<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    spec: GroupNorm,
) -> Tensor<B, 4> {
    struct Call(GroupNorm);
    impl Operation<3> for Call {
        fn fused<K: Kernels>(self, [x, weight, bias]: [FloatTensor<K>; 3]) -> FloatTensor<K> {
            K::group_norm(x, weight, bias, self.0)
        }

        fn composed<B: Backend>(self, [x, weight, bias]: [FloatTensor<B>; 3]) -> FloatTensor<B> {
            composed::group_norm::<B>(x, weight, bias, self.0)
        }
    }
    let channels = x.dims()[1];
    assert!(channels.is_multiple_of(spec.groups), "{channels} channels are not {} groups", spec.groups);
    assert_eq!([weight.dims(), bias.dims()], [[channels]; 2], "a weight and a bias a channel");
    tensor(call::<B, _, 3>(Call(spec), [primitive(x), primitive(weight), primitive(bias)]))
}

/// The convolution of `[batch, inputs, height, width]` with a `weight`, `[outputs, inputs, k, k]` of odd `k`, that keeps the image's
/// size. `bias` is `[1, outputs]`, or `[batch, outputs]` for one of each row's own.
///
/// # Panics
/// If the shapes disagree.
pub fn conv2d<B: Backend>(x: Tensor<B, 4>, weight: Tensor<B, 4>, bias: Tensor<B, 2>) -> Tensor<B, 4> {
    struct Call;
    impl Operation<3> for Call {
        fn fused<K: Kernels>(self, [x, weight, bias]: [FloatTensor<K>; 3]) -> FloatTensor<K> {
            K::convolve(x, weight, Some(bias))
        }

        fn composed<B: Backend>(self, [x, weight, bias]: [FloatTensor<B>; 3]) -> FloatTensor<B> {
            composed::convolve::<B>(x, weight, Some(bias))
        }
    }
    let ([batch, inputs, ..], [outputs, from, k, l]) = (x.dims(), weight.dims());
    assert!(k == l && k % 2 == 1, "the kernel is {k} by {l}, not square and odd");
    assert_eq!(from, inputs, "the weight is for other inputs");
    let [rows, biases] = bias.dims();
    assert!((rows == 1 || rows == batch) && biases == outputs, "a bias of shape [{rows}, {biases}]");
    tensor(call::<B, _, 3>(Call, [primitive(x), primitive(weight), primitive(bias)]))
}

/// Images `[batch, channels, before, before]` through a constant `matrix`, `[before, after]`, along both axes.
///
/// # Panics
/// If the shapes disagree.
pub fn resample<B: Backend>(x: Tensor<B, 4>, matrix: Tensor<B, 2>) -> Tensor<B, 4> {
    struct Call;
    impl Operation<2> for Call {
        fn fused<K: Kernels>(self, [x, matrix]: [FloatTensor<K>; 2]) -> FloatTensor<K> {
            K::resample(x, matrix)
        }

        fn composed<B: Backend>(self, [x, matrix]: [FloatTensor<B>; 2]) -> FloatTensor<B> {
            composed::resample::<B>(x, matrix)
        }
    }
    let ([_, _, height, width], [before, _]) = (x.dims(), matrix.dims());
    assert_eq!([height, width], [before; 2], "the matrix is for other images");
    tensor(call::<B, _, 2>(Call, [primitive(x), primitive(matrix)]))
}

/// [`Activation`] of each number.
pub fn activate<B: Backend, const D: usize>(x: Tensor<B, D>, activation: Activation) -> Tensor<B, D> {
    struct Call(Activation);
    impl Operation<1> for Call {
        fn fused<K: Kernels>(self, [x]: [FloatTensor<K>; 1]) -> FloatTensor<K> {
            K::activate(x, self.0)
        }

        fn composed<B: Backend>(self, [x]: [FloatTensor<B>; 1]) -> FloatTensor<B> {
            composed::activate::<B>(x, self.0)
        }
    }
    tensor(call::<B, _, 1>(Call(activation), [primitive(x)]))
}

/// Softmax along the last dimension.
pub fn softmax<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    struct Call;
    impl Operation<1> for Call {
        fn fused<K: Kernels>(self, [x]: [FloatTensor<K>; 1]) -> FloatTensor<K> {
            K::softmax_rows(x)
        }

        fn composed<B: Backend>(self, [x]: [FloatTensor<B>; 1]) -> FloatTensor<B> {
            composed::softmax::<B>(x)
        }
    }
    tensor(call::<B, _, 1>(Call, [primitive(x)]))
}

/// An operation on `N` operands.
trait Operation<const N: usize>: Sized {
    fn fused<K: Kernels>(self, operands: [FloatTensor<K>; N]) -> FloatTensor<K>;
    fn composed<B: Backend>(self, operands: [FloatTensor<B>; N]) -> FloatTensor<B>;
}

/// Runs the kernels of `B` if it is one of the backends that have some.
///
/// The choice is made by the type at run time: a bound `B: Kernels` would have to stand on every network, and on every network that
/// anybody else writes.
fn call<B: Backend, O: Operation<N>, const N: usize>(
    operation: O,
    operands: [FloatTensor<B>; N],
) -> FloatTensor<B> {
    macro_rules! backends {
        ($($known:ty),* $(,)?) => {$(
            if TypeId::of::<B>() == TypeId::of::<$known>() {
                let operands = same::<_, [FloatTensor<$known>; N]>(operands);
                return same(operation.fused::<$known>(operands));
            }
        )*};
    }
    backends!(
        Flex,
        Autodiff<Flex>,
        Jvp<Flex>,
        Jvp<Flex, Taped>,
        Jvp<Autodiff<Flex>>,
        Jvp<Autodiff<Flex>, Taped>,
    );
    operation.composed::<B>(operands)
}

/// `x` as the type that it is.
fn same<T: 'static, U: 'static>(x: T) -> U {
    let mut x = Some(x);
    (&mut x as &mut dyn Any)
        .downcast_mut::<Option<U>>()
        .and_then(Option::take)
        .expect("equal backends have equal tensors")
}
