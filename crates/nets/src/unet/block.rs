//! The residual block of the U-Net, with attention where it is asked for.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::Dropout;

use super::{
    layers::{Conv, GroupNorm, conv_parameters},
    resample::{Resample, resample_products},
};
use crate::{
    attention,
    init::{Init, Law},
};

/// Scale of the initial weights of a layer whose output is added to something: almost zero.
pub(crate) const ALMOST_ZERO: f64 = 1e-5;
/// Square of the scale of the initial weights of queries, keys and values.
const ATTENTION: f64 = 0.2;

/// Halving or doubling of the image's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Halve,
    Double,
}

/// What a [`Block`] is, before it is made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlockSpec {
    /// Its name in the official code, such as `enc.16x16_block0`; it names the mask of its dropout.
    pub(crate) name: String,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Resampling, and the side of the image before it.
    pub(crate) change: Option<(Change, usize)>,
    pub(crate) attention: bool,
}

impl BlockSpec {
    fn has_skip(&self) -> bool {
        self.inputs != self.outputs || self.change.is_some()
    }

    /// Number of parameters, with `embedding` features of the times.
    pub(crate) fn parameters(&self, embedding: usize) -> usize {
        let (a, b) = (self.inputs, self.outputs);
        let skip = if self.has_skip() { conv_parameters(a, b, 1) } else { 0 };
        let attention = 2 * b + conv_parameters(b, 3 * b, 1) + conv_parameters(b, b, 1);
        2 * a
            + conv_parameters(a, b, 3)
            + (embedding + 1) * b
            + 2 * b
            + conv_parameters(b, b, 3)
            + skip
            + if self.attention { attention } else { 0 }
    }

    /// Multiplications for a sample whose image leaves with this side, with `embedding` features of the times.
    pub(crate) fn products(&self, side: usize, embedding: usize) -> usize {
        let (a, b, pixels) = (self.inputs, self.outputs, side * side);
        let skip = if self.has_skip() { a * b * pixels } else { 0 };
        let attention = if self.attention { 4 * b * b * pixels + 2 * pixels * pixels * b } else { 0 };
        let resampled = self.change.map_or(0, |(_, before)| 2 * a * resample_products(before, side));
        (9 * a * b + 9 * b * b) * pixels + embedding * b + skip + attention + resampled
    }

    /// Channels of every normalisation in the block.
    pub(crate) fn normalised(&self) -> [usize; 2] {
        [self.inputs, self.outputs]
    }
}

/// `h = conv1(dropout(silu(norm1(conv0(silu(norm0(x))) + affine(emb)))))`, then `(h + skip(x))/√2`, then attention.
#[derive(Module, Debug)]
pub(crate) struct Block<B: Backend> {
    norm0: GroupNorm<B>,
    conv0: Conv<B>,
    affine: Linear<B>,
    norm1: GroupNorm<B>,
    conv1: Conv<B>,
    skip: Option<Conv<B>>,
    norm2: Option<GroupNorm<B>>,
    qkv: Option<Conv<B>>,
    proj: Option<Conv<B>>,
    resample: Option<Resample<B>>,
    dropout: f64,
    name: String,
}

impl<B: Backend> Block<B> {
    pub(crate) fn new(
        init: &Init<B>,
        spec: &BlockSpec,
        embedding: usize,
        filter: &[f64],
        dropout: f64,
    ) -> Self {
        let (inputs, outputs) = (spec.inputs, spec.outputs);
        let resample = spec.change.map(|(change, side)| match change {
            Change::Halve => Resample::down(filter, side, init.device()),
            Change::Double => Resample::up(filter, side, init.device()),
        });
        let attention = |scale: f64, name: &str, outputs| {
            spec.attention.then(|| Conv::new(&init.at(name), spec.outputs, outputs, 1, scale))
        };
        Self {
            norm0: GroupNorm::new(&init.at("norm0"), inputs),
            conv0: Conv::new(&init.at("conv0"), inputs, outputs, 3, 1.0),
            affine: init.at("affine").linear(embedding, outputs, Law::Xavier),
            norm1: GroupNorm::new(&init.at("norm1"), outputs),
            conv1: Conv::new(&init.at("conv1"), outputs, outputs, 3, ALMOST_ZERO),
            skip: spec.has_skip().then(|| Conv::new(&init.at("skip"), inputs, outputs, 1, 1.0)),
            norm2: spec.attention.then(|| GroupNorm::new(&init.at("norm2"), outputs)),
            qkv: attention(ATTENTION.sqrt(), "qkv", 3 * outputs),
            proj: attention(ALMOST_ZERO, "proj", outputs),
            resample,
            dropout,
            name: spec.name.clone(),
        }
    }

    /// `x` is `[batch, inputs, side, side]`, `emb` `[batch, embedding]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 4>,
        emb: Tensor<B, 2>,
        dropout: Option<Dropout>,
    ) -> Tensor<B, 4> {
        let resampled = |x| match &self.resample {
            Some(resample) => resample.forward(x),
            None => x,
        };
        let h = self.conv0.shifted(resampled(self.norm0.silu(x.clone())), self.affine.forward(emb));
        let h = self.norm1.silu(h);
        let h = match dropout {
            Some(masks) if self.dropout > 0.0 => masks.apply(&self.name, h, self.dropout),
            _ => h,
        };
        let h = self.conv1.forward(h);
        let skip = match &self.skip {
            Some(conv) => conv.forward(resampled(x)),
            None => x,
        };
        let x = (h + skip) * FRAC_1_SQRT_2;
        match (&self.norm2, &self.qkv, &self.proj) {
            (Some(norm), Some(qkv), Some(proj)) => {
                let a = attend(qkv, norm.forward(x.clone()));
                (proj.forward(a) + x) * FRAC_1_SQRT_2
            }
            _ => x,
        }
    }
}

/// One head over all pixels, `softmax(q·kᵀ/√channels)·v`; `x` is `[batch, channels, side, side]`.
fn attend<B: Backend>(qkv: &Conv<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    // Slicing the weights is cheaper than slicing (and scattering the gradient of) the activations.
    let third = |index: usize| {
        qkv.part(x.clone(), index * channels, channels).reshape([batch, channels, height * width])
    };
    let q = (third(0) * (channels as f64).powf(-0.5)).swap_dims(1, 2);
    let weights = attention::weights(q, third(1));
    third(2).matmul(weights.swap_dims(1, 2)).reshape([batch, channels, height, width])
}
