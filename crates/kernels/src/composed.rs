//! The operations composed of Burn's own: for backends without kernels, and what the kernels are compared with.

use burn::tensor::{
    DType, Tensor, TensorPrimitive,
    activation::{sigmoid, silu},
    backend::Backend,
    module,
    ops::{ConvOptions, FloatTensor},
};

use crate::kernels::{Activation, GroupNorm};

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
        narrow @ (DType::BF16 | DType::F16) => normalised(rows.cast(DType::F32), spec).0.cast(narrow),
        _ => normalised(rows, spec).0,
    };
    let n = normal.reshape([batch, channels, height, width]) * of_channel(weight) + of_channel(bias);
    primitive(match spec.activation {
        Activation::None => n,
        Activation::Silu => silu(n),
    })
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
    let (normal, scale) = normalised(x.reshape(rows), spec);
    let c = tensor::<B, 4>(dx).reshape(rows);
    let c = c.clone() - c.mean_dim(1);
    let overlap = (normal.clone() * c.clone()).mean_dim(1);
    let dnormal = (c - normal.clone() * overlap) * scale;
    let weight = of_channel(weight);
    let dn = dnormal.reshape(shape) * weight.clone();
    primitive(match spec.activation {
        Activation::None => dn,
        Activation::Silu => {
            let n = normal.reshape(shape) * weight + of_channel(bias);
            let s = sigmoid(n.clone());
            dn * (s.clone() * (n * (-s + 1.0) + 1.0))
        }
    })
}

/// `x̂` and `1/√(var + ε)` of each row.
fn normalised<B: Backend>(x: Tensor<B, 2>, spec: GroupNorm) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let centered = x.clone() - x.mean_dim(1);
    let variance = (centered.clone() * centered.clone()).mean_dim(1);
    let scale = (variance + spec.epsilon).sqrt().recip();
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
