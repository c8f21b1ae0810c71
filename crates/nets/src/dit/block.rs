//! The transformer block with adaptive layer normalisation (adaLN-zero), and its final layer.
//!
//! Inside the transformer, tokens come first: a tensor of tokens is `[tokens·batch, width]`, token by token. The sizes and
//! the mathematics are the usual ones; the order makes every modulation a row shared by all tokens
//! (`[tokens, batch·width] ⊙ [1, batch·width]`), which backends have a fast path for, and every linear layer one matrix
//! product.

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, backend::Backend, module::linear},
};
use meanflow_kernels::{Activation, activate};

use super::DitConfig;
use crate::{
    attention,
    init::{Init, Law},
    norm::layer_norm,
};

/// Sizes that the tokens' two-dimensional layout does not show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    pub(crate) tokens: usize,
    pub(crate) batch: usize,
}

impl Tokens {
    /// `x·(1 + scale) + shift` with one row `[batch, width]` of scales and shifts per sample.
    fn modulate<B: Backend>(self, x: Tensor<B, 2>, shift: Tensor<B, 2>, scale: Tensor<B, 2>) -> Tensor<B, 2> {
        let shape = x.dims();
        let x = self.per_sample(x) * self.row(scale + 1.0) + self.row(shift);
        x.reshape(shape)
    }

    /// `x + gate·y` with one row `[batch, width]` of gates per sample.
    fn add_gated<B: Backend>(self, x: Tensor<B, 2>, gate: Tensor<B, 2>, y: Tensor<B, 2>) -> Tensor<B, 2> {
        let shape = y.dims();
        x + (self.per_sample(y) * self.row(gate)).reshape(shape)
    }

    /// `[tokens·batch, width] -> [tokens, batch·width]`.
    fn per_sample<B: Backend>(self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        debug_assert_eq!(rows, self.tokens * self.batch);
        x.reshape([self.tokens, self.batch * width])
    }

    /// `[batch, width] -> [1, batch·width]`.
    fn row<B: Backend>(self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let width = x.dims()[1];
        x.reshape([1, self.batch * width])
    }
}

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

    /// `x` is `[tokens·batch, width]`, `condition` is `silu(c)`, `[batch, width]`.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, condition: Tensor<B, 2>, tokens: Tokens) -> Tensor<B, 2> {
        let m = self.modulation.forward(condition);
        let [shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp] = split(m);
        let y = tokens.modulate(layer_norm(x.clone()), shift_attn, scale_attn);
        let x = tokens.add_gated(x, gate_attn, self.attention(y, tokens));
        let y = tokens.modulate(layer_norm(x.clone()), shift_mlp, scale_mlp);
        let y = self.fc2.forward(activate(self.fc1.forward(y), Activation::GeluTanh));
        tokens.add_gated(x, gate_mlp, y)
    }

    /// Multi-head self-attention, `softmax(q·kᵀ/√d)·v` per head, `[tokens·batch, width]` to the same.
    fn attention(&self, x: Tensor<B, 2>, Tokens { tokens, batch }: Tokens) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let head = width / self.heads;
        // q, k and v are thirds of one matrix; slicing the weights is cheaper than slicing (and scattering the gradient
        // of) the activations.
        let third = |index: usize| {
            let weight = self.qkv.weight.val().narrow(1, index * width, width);
            let bias = self.qkv.bias.as_ref().map(|b| b.val().narrow(0, index * width, width));
            linear(x.clone(), weight, bias)
        };
        let by_head = |x: Tensor<B, 2>| x.reshape([tokens, batch, self.heads, head]).permute([1, 2, 0, 3]);
        let q = by_head(third(0) * (head as f64).powf(-0.5));
        let k = by_head(third(1));
        let v = by_head(third(2));
        let weights = attention::weights(q, k.swap_dims(2, 3));
        let y = weights.matmul(v).permute([2, 0, 1, 3]);
        self.proj.forward(y.reshape([rows, width]))
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

    /// `[tokens·batch, width] -> [tokens·batch, patch²·channels]`.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, condition: Tensor<B, 2>, tokens: Tokens) -> Tensor<B, 2> {
        let [shift, scale] = split(self.modulation.forward(condition));
        self.linear.forward(tokens.modulate(layer_norm(x), shift, scale))
    }
}

/// `[batch, N·width] -> N × [batch, width]`.
fn split<B: Backend, const N: usize>(x: Tensor<B, 2>) -> [Tensor<B, 2>; N] {
    let width = x.dims()[1] / N;
    core::array::from_fn(|i| x.clone().narrow(1, i * width, width))
}
