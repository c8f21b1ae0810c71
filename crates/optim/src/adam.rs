//! Adam (arXiv 1412.6980), rounded as Burn's.

use super::{
    adaptive::Adaptive,
    constants::{AdamConfig, Lengths},
    kind::{Kind, Rule},
};
use burn::{module::AutodiffModule, tensor::backend::AutodiffBackend};
use meanflow_kernels::Form;
use meanflow_settings::Reader;

/// `[optimizer.adam]`: no weight decay.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam(pub AdamConfig);

impl Kind for Adam {
    const NAME: &'static str = "adam";
    const ABOUT: &'static str = "Adam (arXiv 1412.6980)";

    fn read(r: &mut Reader, lengths: Lengths) -> Self {
        Self(AdamConfig::read("lr", false, r, lengths))
    }

    fn adam(&self) -> &AdamConfig {
        &self.0
    }

    fn rule<B: AutodiffBackend, M: AutodiffModule<B> + 'static>(&self) -> Box<dyn Rule<B, M>> {
        Box::new(Adaptive::new(&self.0, Form::Joint))
    }
}
