//! AdamW (arXiv 1711.05101), rounded as Burn's.
//!
//! Without decay it agrees with Adam but for rounding; each kind of experiment keeps the one it has always had, so that old runs go
//! on to the bit.

use super::{
    adaptive::Adaptive,
    constants::{AdamConfig, Lengths},
    kind::{Kind, Rule},
};
use burn::{module::AutodiffModule, tensor::backend::AutodiffBackend};
use meanflow_kernels::Form;
use meanflow_settings::Reader;

/// `[optimizer.adamw]`: Adam with decoupled weight decay.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW(pub AdamConfig);

impl Kind for AdamW {
    const NAME: &'static str = "adamw";
    const ABOUT: &'static str = "Adam with decoupled weight decay (arXiv 1711.05101)";

    fn read(r: &mut Reader, lengths: Lengths) -> Self {
        Self(AdamConfig::read("lr", true, r, lengths))
    }

    fn adam(&self) -> &AdamConfig {
        &self.0
    }

    fn rule<B: AutodiffBackend, M: AutodiffModule<B> + 'static>(&self) -> Box<dyn Rule<B, M>> {
        Box::new(Adaptive::new(&self.0, Form::Apart))
    }
}
