//! Convolution and group normalisation.

use burn::{
    module::{Module, Param},
    tensor::{Tensor, backend::Backend, module, ops::ConvOptions},
};
use meanflow_kernels::{Activation, conv2d, group_norm};

use crate::init::{Init, Law};

/// Added to the variance of a group.
const EPSILON: f64 = 1e-6;

/// A convolution of odd kernel size with a bias.
#[derive(Module, Debug)]
pub(crate) struct Conv<B: Backend> {
    /// `[outputs, inputs, kernel, kernel]`.
    weight: Param<Tensor<B, 4>>,
    bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Conv<B> {
    /// Glorot's uniform law times `scale`; the bias is zero.
    pub(crate) fn new(init: &Init<B>, inputs: usize, outputs: usize, kernel: usize, scale: f64) -> Self {
        let fans = (inputs + outputs) * kernel * kernel;
        let law = Law::Uniform(scale * (6.0 / fans as f64).sqrt());
        Self {
            weight: init.at("weight").param([outputs, inputs, kernel, kernel], law),
            bias: init.at("bias").param([outputs], Law::Zeros),
        }
    }

    /// The same size before and after.
    pub(crate) fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        conv2d(x, self.weight.val(), self.bias.val().unsqueeze())
    }

    /// The outputs `start .. start + length` of [`forward`](Self::forward).
    pub(crate) fn part(&self, x: Tensor<B, 4>, start: usize, length: usize) -> Tensor<B, 4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        conv2d(x, weight.narrow(0, start, length), bias.narrow(0, start, length).unsqueeze())
    }

    /// The same plus a number a row and channel, `[batch, outputs]`.
    pub(crate) fn shifted(&self, x: Tensor<B, 4>, shift: Tensor<B, 2>) -> Tensor<B, 4> {
        conv2d(x, self.weight.val(), shift + self.bias.val().unsqueeze())
    }

    /// With `extra` more zeros around the image than keep its size.
    pub(crate) fn padded(&self, x: Tensor<B, 4>, extra: usize) -> Tensor<B, 4> {
        self.convolve(x, 1, extra)
    }

    /// Every second place of [`forward`](Self::forward).
    pub(crate) fn halving(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.convolve(x, 2, 0)
    }

    fn convolve(&self, x: Tensor<B, 4>, stride: usize, extra: usize) -> Tensor<B, 4> {
        let weight = self.weight.val();
        let padding = weight.dims()[2] / 2 + extra;
        let options = ConvOptions::new([stride, stride], [padding, padding], [1, 1], 1);
        module::conv2d(x, weight, Some(self.bias.val()), options)
    }
}

/// Number of parameters of a [`Conv`].
pub(crate) fn conv_parameters(inputs: usize, outputs: usize, kernel: usize) -> usize {
    (inputs * kernel * kernel + 1) * outputs
}

/// Group normalisation, `(x − mean)/√(var + 1e-6)·w + b` with the biased variance of a group.
#[derive(Module, Debug)]
pub(crate) struct GroupNorm<B: Backend> {
    weight: Param<Tensor<B, 1>>,
    bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> GroupNorm<B> {
    pub(crate) fn new(init: &Init<B>, channels: usize) -> Self {
        Self {
            weight: init.at("weight").param([channels], Law::Ones),
            bias: init.at("bias").param([channels], Law::Zeros),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.then(x, Activation::None)
    }

    /// The normalisation with a SiLU behind it.
    pub(crate) fn silu(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.then(x, Activation::Silu)
    }

    fn then(&self, x: Tensor<B, 4>, activation: Activation) -> Tensor<B, 4> {
        let spec = meanflow_kernels::GroupNorm { groups: groups(x.dims()[1]), epsilon: EPSILON, activation };
        group_norm(x, self.weight.val(), self.bias.val(), spec)
    }
}

/// Groups of a [`GroupNorm`]: 32, or fewer so that a group has at least four channels.
pub(crate) fn groups(channels: usize) -> usize {
    (channels / 4).clamp(1, 32)
}
