//! DiT, the diffusion transformer (arXiv 2212.09748), as the official JAX MeanFlow code has it: a time embedder for each
//! number of its clock (`t` and `h = t − r`), adaLN-zero, fixed sine-cosine positions, no class token, no dropout.

mod block;
mod config;
mod kind;
pub(crate) mod torch;

pub use config::DitConfig;

use block::{Block, FinalLayer};
use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, TensorData, activation::silu, backend::Backend},
};
use meanflow_core::precision::typed_as;
use meanflow_core::{Backbone, Condition};
use meanflow_kernels::Activation;

use crate::{
    embed::{LabelEmbedder, NARROW, TimeEmbedder, grid_positions},
    init::{Init, Law},
    linear::linear,
    patch::{patchify, unpatchify},
};

/// A diffusion transformer `u(z, r, t | class)` for images `[channels, height, width]`.
///
/// A fresh network outputs exactly zero: its final layer and every gate start at zero.
#[derive(Module, Debug)]
pub struct Dit<B: Backend> {
    /// Patches to tokens; its rows are ordered `(row, column, channel)` within the patch.
    x_embedder: Linear<B>,
    t_embedder: Option<TimeEmbedder<B>>,
    r_embedder: Option<TimeEmbedder<B>>,
    h_embedder: Option<TimeEmbedder<B>>,
    y_embedder: Option<LabelEmbedder<B>>,
    blocks: Vec<Block<B>>,
    final_layer: FinalLayer<B>,
    /// Positions of the tokens, `[1, tokens, width]`; not a parameter.
    positions: Tensor<B, 3>,
    patch: usize,
    channels: usize,
    height: usize,
    width: usize,
}

impl<B: Backend> Dit<B> {
    /// Makes the network; the configuration has been checked.
    pub(crate) fn new(config: &DitConfig, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Self {
        let [channels, height, width] = shape;
        let (d, patch_size) = (config.width, config.patch_size(channels));
        let [rows, columns] = config.grid(shape);
        let positions = TensorData::new(grid_positions(rows, columns, d), [1, rows * columns, d]);
        let embedder = |name: &str| {
            let told = config.clock.names().contains(&name);
            told.then(|| TimeEmbedder::new(&init.at(&format!("{name}_embedder")), d, |_| NARROW))
        };
        Self {
            x_embedder: init.at("x_embedder").linear(patch_size, d, Law::Xavier),
            t_embedder: embedder("t"),
            r_embedder: embedder("r"),
            h_embedder: embedder("h"),
            y_embedder: classes.map(|classes| LabelEmbedder::new(&init.at("y_embedder"), classes, d, NARROW)),
            blocks: (0..config.depth).map(|i| Block::new(&init.at(&format!("blocks.{i}")), config)).collect(),
            final_layer: FinalLayer::new(&init.at("final_layer"), d, patch_size),
            positions: Tensor::from_data(positions, init.device()),
            patch: config.patch,
            channels,
            height,
            width,
        }
    }

    /// `flow`, with this network's embedders of `r` and `h`, which say for every time what the flow's said of a gap of 0.
    fn start_from(self, flow: Self) -> Self {
        let mut said = flow.h_embedder.as_ref().map(TimeEmbedder::at_zero);
        let device = flow.x_embedder.weight.device();
        let mut silent = |embedder: Option<TimeEmbedder<B>>| {
            let nothing = || Tensor::zeros([flow.x_embedder.weight.dims()[1]], &device);
            embedder.map(|embedder| embedder.constant(said.take().unwrap_or_else(nothing)))
        };
        let (r_embedder, h_embedder) = (silent(self.r_embedder), silent(self.h_embedder));
        Self { r_embedder, h_embedder, ..flow }
    }
}

impl<B: Backend> Backbone<B> for Dit<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let [batch, channels, height, width] = z.dims();
        assert_eq!(
            [channels, height, width],
            [self.channels, self.height, self.width],
            "this DiT was made for other samples"
        );

        let told = [(&self.t_embedder, t.clone()), (&self.r_embedder, r.clone()), (&self.h_embedder, t - r)];
        let embedded = told.into_iter().filter_map(|(embedder, time)| Some(embedder.as_ref()?.forward(time)));
        let c = embedded.reduce(|c, time| c + time).expect("a clock tells a number");
        let c = match &self.y_embedder {
            Some(embedder) => {
                let labels = condition.labels.clone();
                c + embedder.forward(labels.expect("a class-conditional DiT needs labels"))
            }
            None => c,
        };
        // Every modulation starts with silu(c); it is the same for all of them.
        let c = silu(c);

        let x = linear(&self.x_embedder, patchify(z, self.patch), Activation::None);
        let positions = typed_as(self.positions.clone().repeat_dim(0, batch), &x);
        let mut x = x + positions;
        for block in &self.blocks {
            x = block.forward(x, c.clone());
        }
        let x = self.final_layer.forward(x, c);
        unpatchify(x, self.patch, [channels, height, width])
    }

    fn classes(&self) -> Option<usize> {
        self.y_embedder.as_ref().map(LabelEmbedder::classes)
    }
}
