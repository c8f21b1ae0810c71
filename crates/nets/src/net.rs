//! A network of any kind behind one type.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{Backbone, Condition, Heads};

use crate::{Dit, ImfDit, Mlp, SongUnet};

/// A network made by [`NetConfig::init`](crate::NetConfig::init).
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one value per run
pub enum Net<B: Backend> {
    /// Multilayer perceptron.
    Mlp(Mlp<B>),
    /// Diffusion transformer.
    Dit(Dit<B>),
    /// Transformer of improved MeanFlow.
    ImfDit(ImfDit<B>),
    /// U-Net.
    Unet(SongUnet<B>),
}

impl<B: Backend> Backbone<B> for Net<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        match self {
            Self::Mlp(net) => net.forward(z, r, t, condition),
            Self::Dit(net) => net.forward(z, r, t, condition),
            Self::ImfDit(net) => net.forward(z, r, t, condition),
            Self::Unet(net) => net.forward(z, r, t, condition),
        }
    }

    fn classes(&self) -> Option<usize> {
        match self {
            Self::Mlp(net) => net.classes(),
            Self::Dit(net) => net.classes(),
            Self::ImfDit(net) => net.classes(),
            Self::Unet(net) => net.classes(),
        }
    }

    fn guided(&self) -> bool {
        match self {
            Self::ImfDit(net) => Backbone::<B>::guided(net),
            Self::Mlp(_) | Self::Dit(_) | Self::Unet(_) => false,
        }
    }

    fn velocity(&self, z: Tensor<B, 4>, t: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 4> {
        match self {
            Self::ImfDit(net) => net.velocity(z, t, condition),
            net => net.forward(z, t.clone(), t, condition),
        }
    }

    fn heads(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
        branch: fn(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Heads<B> {
        match self {
            Self::ImfDit(net) => net.heads(z, r, t, condition, branch),
            net => Heads { u: net.forward(z, r, t, condition), v: None },
        }
    }
}
