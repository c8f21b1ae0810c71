//! The operations of transformers.

use burn::tensor::{Tensor, backend::Backend, ops::FloatTensor};

use super::{Operation, call};
use crate::{
    composed::{self, primitive, tensor},
    kernels::Kernels,
    operands::Activation,
};

/// `act(x·weight + bias)` along the last dimension, with a weight `[inputs, outputs]` and a bias `[outputs]`.
///
/// # Panics
/// If the shapes disagree.
pub fn linear<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    activation: Activation,
) -> Tensor<B, D> {
    struct Call(Activation);
    impl Operation<2> for Call {
        fn fused<K: Kernels>(self, [x, weight]: [FloatTensor<K>; 2]) -> FloatTensor<K> {
            K::affine(x, weight, None, self.0)
        }

        fn composed<B: Backend>(self, [x, weight]: [FloatTensor<B>; 2]) -> FloatTensor<B> {
            composed::linear::<B>(x, weight, None, self.0)
        }
    }
    impl Operation<3> for Call {
        fn fused<K: Kernels>(self, [x, weight, bias]: [FloatTensor<K>; 3]) -> FloatTensor<K> {
            K::affine(x, weight, Some(bias), self.0)
        }

        fn composed<B: Backend>(self, [x, weight, bias]: [FloatTensor<B>; 3]) -> FloatTensor<B> {
            composed::linear::<B>(x, weight, Some(bias), self.0)
        }
    }
    let mut shape = x.dims();
    let [inputs, outputs] = weight.dims();
    assert_eq!(shape[D - 1], inputs, "the weight is for other inputs");
    let rows = x.shape().num_elements() / inputs;
    let (x, weight) = (primitive(x.reshape([rows, inputs])), primitive(weight));
    shape[D - 1] = outputs;
    let y = match bias {
        Some(bias) => {
            assert_eq!(bias.dims(), [outputs], "a bias an output");
            call::<B, _, 3>(Call(activation), [x, weight, primitive(bias)])
        }
        None => call::<B, _, 2>(Call(activation), [x, weight]),
    };
    tensor::<B, 2>(y).reshape(shape)
}

/// `x̂·(1 + scale) + shift` of `[samples, tokens, width]`, `x̂ = (x − mean)/√(var + ε)` of each token with the biased variance;
/// `shift` and `scale` are `[samples, width]`.
///
/// # Panics
/// If the shapes disagree.
pub fn modulated_norm<B: Backend>(
    x: Tensor<B, 3>,
    shift: Tensor<B, 2>,
    scale: Tensor<B, 2>,
    epsilon: f64,
) -> Tensor<B, 3> {
    struct Call(f64);
    impl Operation<3> for Call {
        fn fused<K: Kernels>(self, [x, shift, scale]: [FloatTensor<K>; 3]) -> FloatTensor<K> {
            K::modulated_norm(x, shift, scale, self.0)
        }

        fn composed<B: Backend>(self, [x, shift, scale]: [FloatTensor<B>; 3]) -> FloatTensor<B> {
            composed::modulated_norm::<B>(x, shift, scale, self.0)
        }
    }
    let [samples, _, width] = x.dims();
    assert_eq!([shift.dims(), scale.dims()], [[samples, width]; 2], "a shift and a scale a sample");
    tensor(call::<B, _, 3>(Call(epsilon), [primitive(x), primitive(shift), primitive(scale)]))
}

/// `x + gate·y` of `[samples, tokens, width]` with a gate `[samples, width]`.
///
/// # Panics
/// If the shapes disagree.
pub fn gated_sum<B: Backend>(x: Tensor<B, 3>, gate: Tensor<B, 2>, y: Tensor<B, 3>) -> Tensor<B, 3> {
    struct Call;
    impl Operation<3> for Call {
        fn fused<K: Kernels>(self, [x, gate, y]: [FloatTensor<K>; 3]) -> FloatTensor<K> {
            K::gated_sum(Some(x), gate, y)
        }

        fn composed<B: Backend>(self, [x, gate, y]: [FloatTensor<B>; 3]) -> FloatTensor<B> {
            composed::gated_sum::<B>(Some(x), gate, y)
        }
    }
    let [samples, _, width] = x.dims();
    assert_eq!((x.dims(), gate.dims()), (y.dims(), [samples, width]), "a gate a sample");
    tensor(call::<B, _, 3>(Call, [primitive(x), primitive(gate), primitive(y)]))
}

/// Self-attention, `softmax(q·kᵀ/√features)·v` of each of `heads` heads, from queries, keys and values side by side,
/// `[samples, tokens, 3·width]`; the result is `[samples, tokens, width]`.
///
/// # Panics
/// If the heads do not divide the width.
pub fn attention<B: Backend>(qkv: Tensor<B, 3>, heads: usize) -> Tensor<B, 3> {
    struct Call(usize);
    impl Operation<1> for Call {
        fn fused<K: Kernels>(self, [qkv]: [FloatTensor<K>; 1]) -> FloatTensor<K> {
            K::self_attention(qkv, self.0)
        }

        fn composed<B: Backend>(self, [qkv]: [FloatTensor<B>; 1]) -> FloatTensor<B> {
            composed::attention::<B>(qkv, self.0)
        }
    }
    let width = qkv.dims()[2];
    assert!(
        width.is_multiple_of(3 * heads),
        "{width} numbers are no queries, keys and values of {heads} heads"
    );
    tensor(call::<B, _, 1>(Call(heads), [primitive(qkv)]))
}
