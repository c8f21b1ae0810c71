//! The operations composed of Burn's own: for backends without kernels, and what the kernels are compared with.

mod tokens;
mod update;

use burn::tensor::{
    DType, Tensor, TensorMetadata, TensorPrimitive,
    backend::Backend,
    module,
    ops::{ConvOptions, FloatTensor},
};

pub(crate) use tokens::{
    attention, attention_tangent, gated_sum, linear, modulated_norm, modulated_norm_tangent,
};
pub(crate) use update::{sum_of_squares, update};

use crate::operands::{Activation, GroupNorm};

pub(crate) fn tensor<B: Backend, const D: usize>(x: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

pub(crate) fn primitive<B: Backend, const D: usize>(x: Tensor<B, D>) -> FloatTensor<B> {
    x.into_primitive().tensor()
}

pub(crate) fn group_norm<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    spec: GroupNorm,
) -> FloatTensor<B> {
    let x = tensor::<B, 4>(x);
    let [batch, channels, height, width] = x.dims();
    let of_channel = |a| tensor::<B, 1>(a).reshape([1, channels, 1, 1]);
    let rows = x.reshape([batch * spec.groups, channels / spec.groups * height * width]);
    // Sums over many elements are taken in single precision at least.
    let normal = match rows.dtype() {
        narrow @ (DType::BF16 | DType::F16) => normalised(rows.cast(DType::F32), spec.epsilon).0.cast(narrow),
        _ => normalised(rows, spec.epsilon).0,
    };
    let n = normal.reshape([batch, channels, height, width]) * of_channel(weight) + of_channel(bias);
    activate::<B>(primitive(n), spec.activation)
}

/// `dn = weight·dx̂`, `dx̂ = s·(c − x̂·mean(x̂·c))` with `c = dx − mean dx` and `s = 1/√(var + ε)`; `dy = act'(n)·dn`.
pub(crate) fn group_norm_tangent<B: Backend>(
    x: FloatTensor<B>,
    dx: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    spec: GroupNorm,
) -> FloatTensor<B> {
    let x = tensor::<B, 4>(x);
    let [batch, channels, height, width] = x.dims();
    let shape = [batch, channels, height, width];
    let rows = [batch * spec.groups, channels / spec.groups * height * width];
    let of_channel = |a| tensor::<B, 1>(a).reshape([1, channels, 1, 1]);
    let (normal, scale) = normalised(x.reshape(rows), spec.epsilon);
    let c = tensor::<B, 4>(dx).reshape(rows);
    let c = c.clone() - c.mean_dim(1);
    let overlap = (normal.clone() * c.clone()).mean_dim(1);
    let dnormal = (c - normal.clone() * overlap) * scale;
    let weight = of_channel(weight);
    let dn = dnormal.reshape(shape) * weight.clone();
    let n = normal.reshape(shape) * weight + of_channel(bias);
    activation_product::<B>(primitive(n), primitive(dn), spec.activation)
}

/// `x̂` and `1/√(var + ε)` of each row.
fn normalised<B: Backend>(x: Tensor<B, 2>, epsilon: f64) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let centered = x.clone() - x.mean_dim(1);
    let variance = (centered.clone() * centered.clone()).mean_dim(1);
    let scale = (variance + epsilon).sqrt().recip();
    (centered * scale.clone(), scale)
}

pub(crate) fn convolve<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
) -> FloatTensor<B> {
    let (x, weight) = (tensor::<B, 4>(x), tensor::<B, 4>(weight));
    let [outputs, _, k, _] = weight.dims();
    let options = ConvOptions::new([1, 1], [k / 2, k / 2], [1, 1], 1);
    let bias = bias.map(tensor::<B, 2>);
    primitive(match bias {
        Some(bias) if bias.dims()[0] > 1 => {
            let rows = bias.dims()[0];
            module::conv2d(x, weight, None, options) + bias.reshape([rows, outputs, 1, 1])
        }
        bias => module::conv2d(x, weight, bias.map(|bias| bias.reshape([outputs])), options),
    })
}

pub(crate) fn resample<B: Backend>(x: FloatTensor<B>, matrix: FloatTensor<B>) -> FloatTensor<B> {
    let (x, matrix) = (tensor::<B, 4>(x), tensor::<B, 2>(matrix));
    let [batch, channels, rows, _] = x.dims();
    let [before, after] = matrix.dims();
    let along_last = |x: Tensor<B, 4>, rows: usize| {
        x.reshape([batch * channels * rows, before])
            .matmul(matrix.clone())
            .reshape([batch, channels, rows, after])
    };
    primitive(along_last(along_last(x, rows).swap_dims(2, 3), after).swap_dims(2, 3))
}

/// `x·σ(x)`; for [`Activation::GeluTanh`] the argument of `σ` is `x·(a + b·x²)`, `a = 2·√(2/π)`, `b = 0.044715·a`.
pub(crate) fn activate<B: Backend>(x: FloatTensor<B>, activation: Activation) -> FloatTensor<B> {
    let inner = match activation {
        Activation::None => return x,
        Activation::Silu => x.clone(),
        Activation::GeluTanh => B::float_mul(x.clone(), gelu::<B>(x.clone(), 1.0)),
    };
    B::float_mul(x, B::sigmoid(inner))
}

/// `act' = σ·(1 + x·a'·(1 − σ))` with the argument `a` of `σ`.
pub(crate) fn activation_product<B: Backend>(
    x: FloatTensor<B>,
    v: FloatTensor<B>,
    activation: Activation,
) -> FloatTensor<B> {
    let (inner, along) = match activation {
        Activation::None => return v,
        Activation::Silu => (x.clone(), x),
        Activation::GeluTanh => {
            let inner = B::float_mul(x.clone(), gelu::<B>(x.clone(), 1.0));
            (inner, B::float_mul(x.clone(), gelu::<B>(x, 3.0)))
        }
    };
    let s = B::sigmoid(inner);
    let rest = B::float_add_scalar(B::float_neg(s.clone()), 1.0.into());
    let slope = B::float_mul(s, B::float_add_scalar(B::float_mul(along, rest), 1.0.into()));
    B::float_mul(slope, v)
}

/// `a + share·b·x²`.
fn gelu<B: Backend>(x: FloatTensor<B>, share: f64) -> FloatTensor<B> {
    let a = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let square = B::float_mul(x.clone(), x);
    B::float_add_scalar(B::float_mul_scalar(square, (share * 0.044715 * a).into()), a.into())
}

pub(crate) fn softmax<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let last = x.rank() - 1;
    B::softmax(x, last)
}

pub(crate) fn softmax_product<B: Backend>(y: FloatTensor<B>, v: FloatTensor<B>) -> FloatTensor<B> {
    let last = y.rank() - 1;
    let mean = B::float_sum_dim(B::float_mul(y.clone(), v.clone()), last);
    B::float_mul(y, B::float_sub(v, mean))
}
