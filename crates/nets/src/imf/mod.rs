//! The transformer of improved MeanFlow (iMF, arXiv 2512.02012): conditions are tokens of the sequence, and a second head
//! predicts the instantaneous velocity.

mod block;
mod config;
mod kind;

pub use config::ImfDitConfig;

use burn::{
    module::{Module, Param},
    nn::Linear,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{Backbone, Condition, Guidance, Heads};

use crate::{
    embed::{LabelEmbedder, TimeEmbedder},
    init::{Init, Law},
    patch::{patchify, unpatchify},
};
use block::{Block, RmsNorm, Rotary};

/// A transformer with two heads, `u` and `v` of `(z, h | class, ω, [t_min, t_max])`, for images `[channels, height, width]`.
///
/// Time enters through `h = t − r` alone, for both heads. A fresh network outputs exactly zero.
#[derive(Module, Debug)]
pub struct ImfDit<B: Backend> {
    /// Patches to tokens; its rows are ordered `(row, column, channel)` within the patch.
    x_embedder: Linear<B>,
    h_embedder: TimeEmbedder<B>,
    omega_embedder: TimeEmbedder<B>,
    t_min_embedder: TimeEmbedder<B>,
    t_max_embedder: TimeEmbedder<B>,
    y_embedder: Option<LabelEmbedder<B>>,
    class_tokens: Param<Tensor<B, 2>>,
    omega_tokens: Param<Tensor<B, 2>>,
    t_min_tokens: Param<Tensor<B, 2>>,
    t_max_tokens: Param<Tensor<B, 2>>,
    time_tokens: Param<Tensor<B, 2>>,
    shared_blocks: Vec<Block<B>>,
    u_heads: Vec<Block<B>>,
    v_heads: Vec<Block<B>>,
    u_final_layer: FinalLayer<B>,
    v_final_layer: FinalLayer<B>,
    rotary: Rotary<B>,
    patch: usize,
    channels: usize,
    height: usize,
    width: usize,
}

/// RMS normalisation, then a linear layer to the numbers of a patch.
#[derive(Module, Debug)]
struct FinalLayer<B: Backend> {
    norm: RmsNorm<B>,
    linear: Linear<B>,
}

impl<B: Backend> ImfDit<B> {
    /// Makes the network; the configuration has been checked.
    pub(crate) fn new(
        config: &ImfDitConfig,
        shape: [usize; 3],
        classes: Option<usize>,
        init: &Init<B>,
    ) -> Self {
        let [channels, height, width] = shape;
        let (d, patch) = (config.width, config.patch_size(channels));
        let by_inputs = |inputs: usize| Law::Normal((inputs as f64).powf(-0.5));
        let number = |name: &str| TimeEmbedder::new(&init.at(name), d, by_inputs);
        let tokens = |name: &str, count: usize| init.at(name).param([count, d], by_inputs(d));
        let blocks = |name: &str, count: usize| {
            (0..count).map(|i| Block::new(&init.at(&format!("{name}.{i}")), config)).collect()
        };
        let output = |name: &str| FinalLayer {
            norm: RmsNorm::new(&init.at(name).at("norm"), d),
            linear: init.at(name).at("linear").linear(d, patch, Law::Zeros),
        };
        let positions = config.prefix() + height / config.patch * (width / config.patch);
        Self {
            x_embedder: init.at("x_embedder").linear(patch, d, Law::Xavier),
            h_embedder: number("h_embedder"),
            omega_embedder: number("omega_embedder"),
            t_min_embedder: number("t_min_embedder"),
            t_max_embedder: number("t_max_embedder"),
            y_embedder: classes
                .map(|classes| LabelEmbedder::new(&init.at("y_embedder"), classes, d, by_inputs(d))),
            class_tokens: tokens("class_tokens", config.class_tokens),
            omega_tokens: tokens("omega_tokens", config.scale_tokens),
            t_min_tokens: tokens("t_min_tokens", config.interval_tokens),
            t_max_tokens: tokens("t_max_tokens", config.interval_tokens),
            time_tokens: tokens("time_tokens", config.time_tokens),
            shared_blocks: blocks("shared_blocks", config.depth - config.head_depth),
            u_heads: blocks("u_heads", config.head_depth),
            v_heads: blocks("v_heads", config.head_depth),
            u_final_layer: output("u_final_layer"),
            v_final_layer: output("v_final_layer"),
            rotary: Rotary::new(positions, d / config.heads, init.device()),
            patch: config.patch,
            channels,
            height,
            width,
        }
    }

    /// The sequence after the shared blocks, `[positions·batch, width]`, token by token.
    fn trunk(&self, z: Tensor<B, 4>, h: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 2> {
        let [batch, channels, height, width] = z.dims();
        assert_eq!(
            [channels, height, width],
            [self.channels, self.height, self.width],
            "this transformer was made for other samples"
        );
        let guidance = condition.guidance.clone();
        let guidance = guidance.unwrap_or_else(|| Guidance::full(batch, 1.0, [0.0, 1.0], &z.device()));
        // Each token is a learnt vector plus the embedding of what it carries.
        let carry = |tokens: &Param<Tensor<B, 2>>, embedding: Tensor<B, 2>| {
            let [count, d] = tokens.dims();
            let sum = tokens.val().reshape([count, 1, d]) + embedding.reshape([1, batch, d]);
            sum.reshape([count * batch, d])
        };
        let class = match &self.y_embedder {
            Some(embedder) => {
                let labels = condition.labels.clone();
                embedder.forward(labels.expect("a class-conditional transformer needs labels"))
            }
            None => Tensor::zeros([batch, self.class_tokens.dims()[1]], (&z.device(), z.dtype())),
        };
        let omega = self.omega_embedder.forward(-guidance.omega.recip() + 1.0);
        // Here tokens come first, as conditions stand before patches.
        let patches = patchify(z, self.patch);
        let [_, count, numbers] = patches.dims();
        let patches = patches.swap_dims(0, 1).reshape([count * batch, numbers]);
        let sequence = vec![
            carry(&self.class_tokens, class),
            carry(&self.omega_tokens, omega),
            carry(&self.t_min_tokens, self.t_min_embedder.forward(guidance.t_min)),
            carry(&self.t_max_tokens, self.t_max_embedder.forward(guidance.t_max)),
            carry(&self.time_tokens, self.h_embedder.forward(h)),
            self.x_embedder.forward(patches),
        ];
        self.run(Tensor::cat(sequence, 0), &self.shared_blocks)
    }

    fn run(&self, x: Tensor<B, 2>, blocks: &[Block<B>]) -> Tensor<B, 2> {
        blocks.iter().fold(x, |x, block| block.forward(x, &self.rotary))
    }

    /// A head's blocks and its image.
    fn head(&self, x: Tensor<B, 2>, blocks: &[Block<B>], output: &FinalLayer<B>) -> Tensor<B, 4> {
        let x = self.run(x, blocks);
        let (rows, positions) = (x.dims()[0], self.rotary.positions());
        let batch = rows / positions;
        let patches = (self.height / self.patch) * (self.width / self.patch);
        let x = x.narrow(0, rows - patches * batch, patches * batch);
        let x = output.linear.forward(output.norm.forward(x));
        let x = x.reshape([patches, batch, self.patch * self.patch * self.channels]).swap_dims(0, 1);
        unpatchify(x, self.patch, [self.channels, self.height, self.width])
    }
}

impl<B: Backend> Backbone<B> for ImfDit<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let x = self.trunk(z, t - r, condition);
        self.head(x, &self.u_heads, &self.u_final_layer)
    }

    fn classes(&self) -> Option<usize> {
        self.y_embedder.as_ref().map(LabelEmbedder::classes)
    }

    fn guided(&self) -> bool {
        true
    }

    fn velocity(&self, z: Tensor<B, 4>, t: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 4> {
        let x = self.trunk(z, t.zeros_like(), condition);
        self.head(x, &self.v_heads, &self.v_final_layer)
    }

    fn heads(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
        branch: fn(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Heads<B> {
        let x = self.trunk(z, t - r, condition);
        Heads {
            u: self.head(x.clone(), &self.u_heads, &self.u_final_layer),
            v: Some(self.head(branch(x), &self.v_heads, &self.v_final_layer)),
        }
    }
}
