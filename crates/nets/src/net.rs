//! A network of any kind behind one type.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{Backbone, Condition};

use crate::{Dit, Mlp, SongUnet};

/// A network made by [`NetConfig::init`](crate::NetConfig::init).
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one value per run
pub enum Net<B: Backend> {
    /// Multilayer perceptron.
    Mlp(Mlp<B>),
    /// Diffusion transformer.
    Dit(Dit<B>),
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
            Self::Unet(net) => net.forward(z, r, t, condition),
        }
    }

    fn classes(&self) -> Option<usize> {
        match self {
            Self::Mlp(net) => net.classes(),
            Self::Dit(net) => net.classes(),
            Self::Unet(net) => net.classes(),
        }
    }
}
