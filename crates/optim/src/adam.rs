//! Adam (arXiv 1412.6980): Burn's.

use super::{
    constants::{AdamConfig, Lengths},
    kind::{Kind, Rule, Single},
    moments::{restore, store},
    record::{Slots, Stored},
};
use burn::{
    module::AutodiffModule,
    optim::{self, AdamState},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_settings::Reader;
use meanflow_state::{Named, StateError};

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
        Box::new(Single { optim: adam(&self.0).into(), lr: self.0.lr })
    }
}

/// Burn's Adam.
pub(crate) fn adam(config: &AdamConfig) -> optim::Adam {
    optim::AdamConfig::new()
        .with_beta_1(config.betas[0] as f32)
        .with_beta_2(config.betas[1] as f32)
        .with_epsilon(config.eps as f32)
        .build()
}

impl<B: Backend> Stored<B> for optim::Adam {
    fn store<const D: usize>(state: AdamState<B, D>, name: &str, to: &mut Named) {
        store(state.momentum, name, to);
    }

    fn restore<const D: usize>(
        like: &Tensor<B, D>,
        slots: &mut Slots,
    ) -> Result<Option<AdamState<B, D>>, StateError> {
        Ok(restore(like, slots)?.map(AdamState::new))
    }
}
