//! A small convolutional classifier of pictures, to score conditional samples with; no backbone.

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::Streams;

use crate::{
    init::{Init, Law},
    unet::layers::{Conv, GroupNorm, conv_parameters},
};

/// Channels after each block.
const WIDTHS: [usize; 3] = [32, 64, 128];

/// Three blocks of a 3×3 convolution that halves the picture, group normalisation and SiLU; the mean over the plane; one linear
/// layer. 93,000 weights and 129 for each class.
#[derive(Module, Debug)]
pub struct Classifier<B: Backend> {
    blocks: Vec<Block<B>>,
    head: Linear<B>,
}

impl<B: Backend> Classifier<B> {
    /// Numbers in a row of [`features`](Self::features).
    pub const FEATURES: usize = WIDTHS[2];

    /// A fresh classifier for pictures of so many channels and any size.
    pub fn init(channels: usize, classes: usize, streams: &Streams, device: &B::Device) -> Self {
        let init = Init::new(streams, device);
        let mut inputs = channels;
        let blocks = WIDTHS.iter().enumerate().map(|(index, &outputs)| {
            let init = init.at("blocks").at(&index.to_string());
            let block = Block {
                conv: Conv::new(&init.at("conv"), inputs, outputs, 3, 1.0),
                norm: GroupNorm::new(&init.at("norm"), outputs),
            };
            inputs = outputs;
            block
        });
        Self { blocks: blocks.collect(), head: init.at("head").linear(Self::FEATURES, classes, Law::Xavier) }
    }

    /// What the last layer sees, `[batch, 128]`, of pictures `[batch, channels, height, width]`.
    pub fn features(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = self.blocks.iter().fold(x, |x, block| block.norm.silu(block.conv.halving(x)));
        let [batch, channels, height, width] = x.dims();
        x.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
    }

    /// Logits, `[batch, classes]`, of features `[batch, 128]`.
    pub fn logits(&self, features: Tensor<B, 2>) -> Tensor<B, 2> {
        self.head.forward(features)
    }

    /// Parameters of a classifier.
    pub fn parameters(channels: usize, classes: usize) -> usize {
        let inputs = [channels, WIDTHS[0], WIDTHS[1]];
        let of_block = |(inputs, outputs): (usize, usize)| conv_parameters(inputs, outputs, 3) + 2 * outputs;
        inputs.into_iter().zip(WIDTHS).map(of_block).sum::<usize>() + (Self::FEATURES + 1) * classes
    }
}

#[derive(Module, Debug)]
struct Block<B: Backend> {
    conv: Conv<B>,
    norm: GroupNorm<B>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{backend::Flex, tensor::Distribution};

    #[test]
    fn any_size_has_features_and_logits() {
        let device = Default::default();
        for ([channels, height, width], classes) in [([1, 28, 28], 10), ([3, 5, 9], 2), ([4, 32, 32], 7)] {
            let net = Classifier::<Flex>::init(channels, classes, &Streams::new(1), &device);
            assert_eq!(net.num_params(), Classifier::<Flex>::parameters(channels, classes));
            let x = Tensor::random([3, channels, height, width], Distribution::Default, &device);
            let features = net.features(x);
            assert_eq!(features.dims(), [3, 128]);
            assert_eq!(net.logits(features).dims(), [3, classes]);
        }
    }

    #[test]
    fn a_halving_convolution_takes_every_second_place() {
        let (device, streams) = (Default::default(), Streams::new(2));
        let conv = Conv::<Flex>::new(&Init::new(&streams, &device), 2, 4, 3, 1.0);
        let x = Tensor::<Flex, 4>::random([2, 2, 7, 6], Distribution::Default, &device);
        let all = conv.forward(x.clone()).slice([0..2, 0..4, 0..7, 0..6]);
        let [rows, columns]: [Tensor<Flex, 1, burn::tensor::Int>; 2] =
            [[0, 2, 4, 6].as_slice(), &[0, 2, 4]].map(|places| Tensor::from_ints(places, &device));
        let expected = all.select(2, rows).select(3, columns);
        let difference = (conv.halving(x) - expected).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
    }
}
