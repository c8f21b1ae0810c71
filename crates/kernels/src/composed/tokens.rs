//! What transformers are made of: `[samples, tokens, width]` and one row `[samples, width]` for the tokens of a sample.

use burn::tensor::{DType, Tensor, TensorMetadata, backend::Backend, ops::FloatTensor};

use super::{activate, normalised, primitive, softmax, softmax_product, tensor};
use crate::operands::{Activation, ModulationDirections};

pub(crate) fn linear<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    activation: Activation,
) -> FloatTensor<B> {
    let y = tensor::<B, 2>(x).matmul(tensor(weight));
    let y = match bias {
        Some(bias) => y + tensor::<B, 1>(bias).unsqueeze(),
        None => y,
    };
    activate::<B>(primitive(y), activation)
}

pub(crate) fn modulated_norm<B: Backend>(
    x: FloatTensor<B>,
    shift: FloatTensor<B>,
    scale: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    let x = tensor::<B, 3>(x);
    // Sums over many elements are taken in single precision at least.
    let normal = match x.dtype() {
        narrow @ (DType::BF16 | DType::F16) => normal(x.cast(DType::F32), epsilon).0.cast(narrow),
        _ => normal(x, epsilon).0,
    };
    primitive(normal * (of_tokens::<B>(scale) + 1.0) + of_tokens::<B>(shift))
}

/// `dy = dx̂·(1 + scale) + x̂·dscale + dshift`, `dx̂ = s·(c − x̂·mean(x̂·c))` with `c = dx − mean dx` and `s = 1/√(var + ε)`.
pub(crate) fn modulated_norm_tangent<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    along: ModulationDirections<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    let (normal, s) = normal(tensor::<B, 3>(x), epsilon);
    let mut dy = normal.zeros_like();
    if let Some(dx) = along.x {
        let dx = tensor::<B, 3>(dx);
        let c = dx.clone() - dx.mean_dim(2);
        let overlap = (normal.clone() * c.clone()).mean_dim(2);
        dy = (c - normal.clone() * overlap) * s * (of_tokens::<B>(scale) + 1.0);
    }
    if let Some(dscale) = along.scale {
        dy = dy + normal * of_tokens::<B>(dscale);
    }
    if let Some(dshift) = along.shift {
        dy = dy + of_tokens::<B>(dshift);
    }
    primitive(dy)
}

pub(crate) fn gated_sum<B: Backend>(
    x: Option<FloatTensor<B>>,
    gate: FloatTensor<B>,
    y: FloatTensor<B>,
) -> FloatTensor<B> {
    let product = tensor::<B, 3>(y) * of_tokens::<B>(gate);
    primitive(match x {
        Some(x) => tensor::<B, 3>(x) + product,
        None => product,
    })
}

pub(crate) fn attention<B: Backend>(qkv: FloatTensor<B>, heads: usize) -> FloatTensor<B> {
    let [q, k, v] = by_head::<B>(qkv, heads);
    let scale = (q.dims()[3] as f64).powf(-0.5);
    joined((weights(q * scale, k)).matmul(v))
}

/// `dy = dp·v + p·dv`, `dp = p·(ds − Σ p·ds)`, `ds = (dq·kᵀ + q·dkᵀ)/√features`.
pub(crate) fn attention_tangent<B: Backend>(
    qkv: FloatTensor<B>,
    dqkv: FloatTensor<B>,
    heads: usize,
) -> FloatTensor<B> {
    let ([q, k, v], [dq, dk, dv]) = (by_head::<B>(qkv, heads), by_head::<B>(dqkv, heads));
    let scale = (q.dims()[3] as f64).powf(-0.5);
    let ds = (dq.matmul(k.clone().swap_dims(2, 3)) + q.clone().matmul(dk.swap_dims(2, 3))) * scale;
    let p = weights(q * scale, k);
    let dp = tensor::<B, 4>(softmax_product::<B>(primitive(p.clone()), primitive(ds)));
    joined(dp.matmul(v) + p.matmul(dv))
}

/// `x̂` and `1/√(var + ε)` of each token.
fn normal<B: Backend>(x: Tensor<B, 3>, epsilon: f64) -> (Tensor<B, 3>, Tensor<B, 3>) {
    let [samples, tokens, width] = x.dims();
    let (normal, scale) = normalised(x.reshape([samples * tokens, width]), epsilon);
    (normal.reshape([samples, tokens, width]), scale.reshape([samples, tokens, 1]))
}

/// `[samples, width] -> [samples, 1, width]`.
fn of_tokens<B: Backend>(x: FloatTensor<B>) -> Tensor<B, 3> {
    tensor::<B, 2>(x).unsqueeze_dim(1)
}

/// `softmax(q·kᵀ)` of scaled queries; the softmax is taken in single precision at least.
fn weights<B: Backend>(q: Tensor<B, 4>, k: Tensor<B, 4>) -> Tensor<B, 4> {
    let logits = primitive(q.matmul(k.swap_dims(2, 3)));
    tensor(match logits.dtype() {
        narrow @ (DType::BF16 | DType::F16) => {
            let wide = B::float_cast(logits, DType::F32.into());
            B::float_cast(softmax::<B>(wide), narrow.into())
        }
        _ => softmax::<B>(logits),
    })
}

/// Queries, keys and values, `[samples, heads, tokens, features]` each.
fn by_head<B: Backend>(qkv: FloatTensor<B>, heads: usize) -> [Tensor<B, 4>; 3] {
    let qkv = tensor::<B, 3>(qkv);
    let [samples, tokens, triple] = qkv.dims();
    let width = triple / 3;
    [0, 1, 2].map(|third| {
        let x = qkv.clone().narrow(2, third * width, width);
        x.reshape([samples, tokens, heads, width / heads]).swap_dims(1, 2)
    })
}

/// `[samples, heads, tokens, features] -> [samples, tokens, width]`.
fn joined<B: Backend>(x: Tensor<B, 4>) -> FloatTensor<B> {
    let [samples, heads, tokens, features] = x.dims();
    primitive(x.swap_dims(1, 2).reshape([samples, tokens, heads * features]))
}
