//! AdamW (arXiv 1711.05101): Burn's without its decay, which is [`Decay`](super::decay::Decay), as that knows parameters by name.
//!
//! It agrees with Burn's Adam but for rounding; each kind of experiment keeps the one it has always had, so that old runs go on
//! to the bit.

use super::{
    constants::{AdamConfig, Lengths},
    kind::{Kind, Rule, Single},
    moments::{restore, store},
    record::{Slots, Stored},
};
use burn::{
    module::AutodiffModule,
    optim::{self, AdamWState},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_settings::Reader;
use meanflow_state::{Named, StateError};

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
        let adamw = optim::AdamWConfig::new()
            .with_beta_1(self.0.betas[0] as f32)
            .with_beta_2(self.0.betas[1] as f32)
            .with_epsilon(self.0.eps as f32)
            .with_weight_decay(0.0)
            .build();
        Box::new(Single { optim: adamw.into(), lr: self.0.lr })
    }
}

impl<B: Backend> Stored<B> for optim::AdamW {
    fn store<const D: usize>(state: AdamWState<B, D>, name: &str, to: &mut Named) {
        store(state.momentum, name, to);
    }

    fn restore<const D: usize>(
        like: &Tensor<B, D>,
        slots: &mut Slots,
    ) -> Result<Option<AdamWState<B, D>>, StateError> {
        Ok(restore(like, slots)?.map(|momentum| AdamWState { momentum }))
    }
}
