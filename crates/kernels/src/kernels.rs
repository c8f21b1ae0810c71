//! What a backend with kernels offers.

use burn::tensor::{DType, backend::Backend, ops::FloatTensor};

use crate::{
    composed,
    operands::{Activation, GroupNorm, GroupNormGradients, ModulationDirections, ModulationGradients},
    update::{Parameter, Updated},
};

/// Fused operations; the defaults compose them of Burn's own.
pub trait Kernels: Backend {
    /// [`GroupNorm`] of `[batch, channels, height, width]`; `weight` and `bias` are `[channels]`.
    fn group_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: GroupNorm,
    ) -> FloatTensor<Self> {
        composed::group_norm::<Self>(x, weight, bias, spec)
    }

    /// The derivative of [`group_norm`](Self::group_norm) along `dx`, for a constant `weight` and `bias`.
    fn group_norm_tangent(
        x: FloatTensor<Self>,
        dx: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: GroupNorm,
    ) -> FloatTensor<Self> {
        composed::group_norm_tangent::<Self>(x, dx, weight, bias, spec)
    }

    /// The convolution of `[batch, inputs, height, width]` with a `weight`, `[outputs, inputs, k, k]` of odd `k`, that keeps the
    /// image's size; `bias` is `[1, outputs]`, or `[batch, outputs]` for one of each row's own.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        composed::convolve::<Self>(x, weight, bias)
    }

    /// [`Activation`] of each number.
    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        composed::activate::<Self>(x, activation)
    }

    /// `act'(x)·v`: the derivative of [`activate`](Self::activate) along `v`, and its gradient.
    fn activation_product(
        x: FloatTensor<Self>,
        v: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        composed::activation_product::<Self>(x, v, activation)
    }

    /// Softmax along the last dimension.
    fn softmax_rows(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::softmax::<Self>(x)
    }

    /// `y·(v − Σ y·v)`: the derivative of a softmax `y` along `v`, and its gradient.
    fn softmax_product(y: FloatTensor<Self>, v: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::softmax_product::<Self>(y, v)
    }

    /// Images `[batch, channels, before, before]` through a constant `matrix`, `[before, after]`, along both axes.
    fn resample(x: FloatTensor<Self>, matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::resample::<Self>(x, matrix)
    }

    /// `act(x·weight + bias)` of rows `[rows, inputs]`, with a weight `[inputs, outputs]` and a bias `[outputs]`.
    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        composed::linear::<Self>(x, weight, bias, activation)
    }

    /// `x̂·(1 + scale) + shift` of `[samples, tokens, width]` with `x̂ = (x − mean)/√(var + ε)` of each token; `shift` and `scale` are
    /// `[samples, width]`.
    fn modulated_norm(
        x: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        composed::modulated_norm::<Self>(x, shift, scale, epsilon)
    }

    /// The derivative of [`modulated_norm`](Self::modulated_norm).
    fn modulated_norm_tangent(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        along: ModulationDirections<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        composed::modulated_norm_tangent::<Self>(x, scale, along, epsilon)
    }

    /// `x + gate·y`, or `gate·y`, of `[samples, tokens, width]` with a gate `[samples, width]`.
    fn gated_sum(
        x: Option<FloatTensor<Self>>,
        gate: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::gated_sum::<Self>(x, gate, y)
    }

    /// Self-attention, `softmax(q·kᵀ/√features)·v` of each of `heads` heads, from queries, keys and values side by side,
    /// `[samples, tokens, 3·width]`; `[samples, tokens, width]`.
    fn self_attention(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        composed::attention::<Self>(qkv, heads)
    }

    /// The derivative of [`self_attention`](Self::self_attention) along `dqkv`.
    fn self_attention_tangent(
        qkv: FloatTensor<Self>,
        dqkv: FloatTensor<Self>,
        heads: usize,
    ) -> FloatTensor<Self> {
        composed::attention_tangent::<Self>(qkv, dqkv, heads)
    }
}

/// A backend without a tape that has kernels of its own, and their gradients.
pub trait Fused: Kernels {
    /// Whether there are kernels for numbers of this type.
    fn fuses(dtype: DType) -> bool;

    /// Gradients of [`group_norm`](Kernels::group_norm), from that of its output.
    fn group_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        spec: GroupNorm,
    ) -> GroupNormGradients<Self>;

    /// Gradient of the input of [`convolve`](Kernels::convolve).
    fn convolve_x_backward(weight: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of the weight of [`convolve`](Kernels::convolve) with kernels of side `k`.
    fn convolve_weight_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>, k: usize)
    -> FloatTensor<Self>;

    /// Gradient of the input of [`affine`](Kernels::affine) without an activation.
    fn affine_x_backward(weight: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of the bias of [`affine`](Kernels::affine) without an activation: the sums of columns.
    fn affine_bias_backward(grad: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradients of [`modulated_norm`](Kernels::modulated_norm), from that of its output.
    fn modulated_norm_backward(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> ModulationGradients<Self>;

    /// Gradient of the gate of [`gated_sum`](Kernels::gated_sum).
    fn gate_backward(y: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of [`self_attention`](Kernels::self_attention), from that of its output.
    fn self_attention_backward(
        qkv: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        heads: usize,
    ) -> FloatTensor<Self>;

    /// See [`sum_of_squares`](crate::sum_of_squares).
    fn sum_of_squares(tensors: Vec<FloatTensor<Self>>) -> FloatTensor<Self>;

    /// See [`update`](crate::update()).
    fn update(
        parameters: Vec<Parameter<Self>>,
        scale: Option<FloatTensor<Self>>,
        shares: &[f64],
    ) -> Vec<Updated<Self>>;
}
