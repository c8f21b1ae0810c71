//! The DDPM++/NCSN++ U-Net (Song et al., arXiv 2011.13456) as the official MeanFlow code has it for CIFAR-10: embeddings of
//! `t` and `h = t − r`, skips scaled by √½, resampling by a fixed filter, one head of attention.

mod block;
mod config;
mod embed;
mod kind;
pub(crate) mod layers;
mod resample;
mod torch;

pub use config::{Encoder, TimeFeatures, UnetConfig};
pub use torch::UnetNames;

use std::f64::consts::FRAC_1_SQRT_2;

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{Backbone, Condition};

use crate::init::Init;
use block::{ALMOST_ZERO, Block, BlockSpec, Change};
use embed::Mapping;
use layers::{Conv, GroupNorm};
use resample::{Resample, padding};

/// A U-Net `u(z, r, t | class, augmentation)` for square images `[channels, side, side]`.
///
/// The output of a fresh network is almost zero: the last convolution starts at 10⁻⁵ of the usual scale.
#[derive(Module, Debug)]
pub struct SongUnet<B: Backend> {
    mapping: Mapping<B>,
    input: Conv<B>,
    encoder: Vec<Level<B>>,
    decoder: Vec<Level<B>>,
    output_norm: GroupNorm<B>,
    output: Conv<B>,
    channels: usize,
    side: usize,
}

/// One level of the encoder or the decoder; see [`config::Level`].
#[derive(Module, Debug)]
struct Level<B: Backend> {
    bare: Option<Resample<B>>,
    entry: Vec<Block<B>>,
    residual: Option<Residual<B>>,
    blocks: Vec<Block<B>>,
}

/// The image itself on its way through the encoder: a convolution, then half the size.
#[derive(Module, Debug)]
struct Residual<B: Backend> {
    conv: Conv<B>,
    resample: Resample<B>,
    padding: usize,
}

impl<B: Backend> SongUnet<B> {
    /// Makes the network; the configuration has been checked.
    pub(crate) fn new(
        config: &UnetConfig,
        shape: [usize; 3],
        classes: Option<usize>,
        init: &Init<B>,
    ) -> Self {
        let [channels, side, _] = shape;
        let topology = config.topology(shape);
        let levels = |init: Init<B>, levels: &[config::Level]| {
            let level = |index: usize| Level::new(&init.at(&index.to_string()), &levels[index], config);
            (0..levels.len()).map(level).collect()
        };
        Self {
            mapping: Mapping::new(&init.at("mapping"), config, classes),
            input: Conv::new(&init.at("input"), channels, config.width, 3, 1.0),
            encoder: levels(init.at("encoder"), &topology.encoder),
            decoder: levels(init.at("decoder"), &topology.decoder),
            output_norm: GroupNorm::new(&init.at("output_norm"), topology.width),
            output: Conv::new(&init.at("output"), topology.width, channels, 3, ALMOST_ZERO),
            channels,
            side,
        }
    }

    /// The network with these Fourier frequencies, in turns per unit of time, in place of its own.
    ///
    /// # Errors
    /// The number that is needed, if it is another.
    pub(crate) fn with_fourier(self, turns: &[f32]) -> Result<Self, usize> {
        Ok(Self { mapping: self.mapping.with_fourier(turns)?, ..self })
    }
}

impl<B: Backend> Level<B> {
    fn new(init: &Init<B>, spec: &config::Level, config: &UnetConfig) -> Self {
        let (filter, device) = (&config.filter, init.device());
        let bare = spec.change.filter(|_| !config.resample_blocks);
        let bare = bare.map(|(change, side)| match change {
            Change::Halve => Resample::down(filter, side, device),
            Change::Double => Resample::up(filter, side, device),
        });
        let residual = spec.residual.map(|(inputs, outputs)| Residual {
            conv: Conv::new(&init.at("residual.conv"), inputs, outputs, 3, 1.0),
            resample: Resample::down_padded(filter, 2 * spec.side, device),
            padding: padding(filter),
        });
        let blocks = |part: &str, specs: &[BlockSpec]| {
            let block = |index: usize| {
                let init = init.at(&format!("{part}.{index}"));
                Block::new(&init, &specs[index], config.embedding(), filter, config.dropout)
            };
            (0..specs.len()).map(block).collect()
        };
        Self { bare, entry: blocks("entry", &spec.entry), residual, blocks: blocks("blocks", &spec.blocks) }
    }
}

impl<B: Backend> Backbone<B> for SongUnet<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let [_, channels, height, width] = z.dims();
        let made_for = [self.channels, self.side, self.side];
        assert_eq!([channels, height, width], made_for, "this U-Net was made for other samples");
        let emb = self.mapping.forward(r, t, condition);
        let run = |x, block: &Block<B>| block.forward(x, emb.clone(), condition.dropout);

        let mut image = z.clone();
        let mut x = self.input.forward(z);
        let mut skips = Vec::new();
        for level in &self.encoder {
            if let Some(resample) = &level.bare {
                x = resample.forward(x);
            }
            x = level.entry.iter().fold(x, run);
            if let Some(Residual { conv, resample, padding }) = &level.residual {
                let halved = resample.forward(conv.padded(image, *padding));
                x = (x + halved) * FRAC_1_SQRT_2;
                image = x.clone();
            }
            skips.push(x.clone());
            for block in &level.blocks {
                x = run(x, block);
                skips.push(x.clone());
            }
        }
        for level in &self.decoder {
            if let Some(resample) = &level.bare {
                x = resample.forward(x);
            }
            x = level.entry.iter().fold(x, run);
            for block in &level.blocks {
                let skip = skips.pop().expect("the encoder pushed one for each block");
                x = run(Tensor::cat(vec![x, skip], 1), block);
            }
        }
        self.output.forward(self.output_norm.silu(x))
    }

    fn classes(&self) -> Option<usize> {
        self.mapping.classes()
    }
}
