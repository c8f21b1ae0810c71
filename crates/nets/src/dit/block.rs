//! The transformer block with adaptive layer normalisation (adaLN-zero), and its final layer.
//!
//! A tensor of tokens is `[batch, tokens, width]`; a modulation is one row `[batch, width]` for all tokens of a sample.

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, backend::Backend},
};
use meanflow_kernels::{Activation, attention, gated_sum, modulated_norm};

use super::DitConfig;
use crate::{
    init::{Init, Law},
    linear::linear,
};

/// `ε` of the layer normalisations.
const EPSILON: f64 = 1e-6;

/// One transformer block: `x += gate·attn(mod(LN(x)))`, `x += gate·mlp(mod(LN(x)))`.
#[derive(Module, Debug)]
pub(crate) struct Block<B: Backend> {
    modulation: Linear<B>,
    qkv: Linear<B>,
    proj: Linear<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
    heads: usize,
}

impl<B: Backend> Block<B> {
    pub(crate) fn new(init: &Init<B>, config: &DitConfig) -> Self {
        let (d, hidden) = (config.width, config.hidden());
        Self {
            modulation: init.at("modulation").linear(d, 6 * d, Law::Zeros),
            // One d × 3d matrix, also for the initial law.
            qkv: init.at("qkv").linear(d, 3 * d, Law::Xavier),
            proj: init.at("proj").linear(d, d, Law::Xavier),
            fc1: init.at("fc1").linear(d, hidden, Law::Xavier),
            fc2: init.at("fc2").linear(hidden, d, Law::Xavier),
            heads: config.heads,
        }
    }

    /// `x` is `[batch, tokens, width]`, `condition` is `silu(c)`, `[batch, width]`.
    pub(crate) fn forward(&self, x: Tensor<B, 3>, condition: Tensor<B, 2>) -> Tensor<B, 3> {
        let m = linear(&self.modulation, condition, Activation::None);
        let [shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp] = split(m);
        let y = modulated_norm(x.clone(), shift_attn, scale_attn, EPSILON);
        let y = attention(linear(&self.qkv, y, Activation::None), self.heads);
        let x = gated_sum(x, gate_attn, linear(&self.proj, y, Activation::None));
        let y = modulated_norm(x.clone(), shift_mlp, scale_mlp, EPSILON);
        let y = linear(&self.fc1, y, Activation::GeluTanh);
        gated_sum(x, gate_mlp, linear(&self.fc2, y, Activation::None))
    }
}

/// Modulated layer normalisation, then a linear layer to the numbers of a patch.
#[derive(Module, Debug)]
pub(crate) struct FinalLayer<B: Backend> {
    modulation: Linear<B>,
    linear: Linear<B>,
}

impl<B: Backend> FinalLayer<B> {
    pub(crate) fn new(init: &Init<B>, width: usize, patch_size: usize) -> Self {
        Self {
            modulation: init.at("modulation").linear(width, 2 * width, Law::Zeros),
            linear: init.at("linear").linear(width, patch_size, Law::Zeros),
        }
    }

    /// `[batch, tokens, width] -> [batch, tokens, patch²·channels]`.
    pub(crate) fn forward(&self, x: Tensor<B, 3>, condition: Tensor<B, 2>) -> Tensor<B, 3> {
        let [shift, scale] = split(linear(&self.modulation, condition, Activation::None));
        linear(&self.linear, modulated_norm(x, shift, scale, EPSILON), Activation::None)
    }
}

/// `[batch, N·width] -> N × [batch, width]`.
fn split<B: Backend, const N: usize>(x: Tensor<B, 2>) -> [Tensor<B, 2>; N] {
    let width = x.dims()[1] / N;
    core::array::from_fn(|i| x.clone().narrow(1, i * width, width))
}
