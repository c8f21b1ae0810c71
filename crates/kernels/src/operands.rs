//! What operations are told, and what comes of them beside a tensor.

use burn::tensor::{backend::Backend, ops::FloatTensor};

/// A function of each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The number itself.
    None,
    /// `x·σ(x)`.
    Silu,
    /// GELU in its tanh form, `x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, which is `x·σ(2·√(2/π)·(x + 0.044715·x³))`.
    GeluTanh,
}

/// Group normalisation and what follows it: `y = act(n)`, `n = x̂·weight + bias`, `x̂ = (x − mean)/√(var + ε)` with the mean and the
/// biased variance of a group of channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    /// Groups of neighbouring channels; it divides the channels.
    pub groups: usize,
    /// `ε`.
    pub epsilon: f64,
    /// What follows.
    pub activation: Activation,
}

/// Gradients of [`GroupNorm`].
#[derive(Clone, Debug)]
pub struct GroupNormGradients<B: Backend> {
    /// Of `x`, `[batch, channels, height, width]`.
    pub x: FloatTensor<B>,
    /// Of the weight, `[channels]`.
    pub weight: FloatTensor<B>,
    /// Of the bias, `[channels]`.
    pub bias: FloatTensor<B>,
}

/// Directions of a derivative of a modulated normalisation ([`modulated_norm`](crate::Kernels::modulated_norm)); `None` is zero.
#[derive(Clone, Debug)]
pub struct ModulationDirections<B: Backend> {
    /// Of `x`, `[samples, tokens, width]`.
    pub x: Option<FloatTensor<B>>,
    /// Of the shift, `[samples, width]`.
    pub shift: Option<FloatTensor<B>>,
    /// Of the scale, `[samples, width]`.
    pub scale: Option<FloatTensor<B>>,
}

/// Gradients of [`modulated_norm`](crate::Kernels::modulated_norm).
#[derive(Clone, Debug)]
pub struct ModulationGradients<B: Backend> {
    /// Of `x`, `[samples, tokens, width]`.
    pub x: FloatTensor<B>,
    /// Of the shift, `[samples, width]`.
    pub shift: FloatTensor<B>,
    /// Of the scale, `[samples, width]`.
    pub scale: FloatTensor<B>,
}
