//! Adam (arXiv 1412.6980): Burn's two forms of it.
//!
//! They agree but for rounding; each kind of experiment keeps the one it has always had, so that old runs go on to the bit.
//! AdamW's decay (arXiv 1711.05101) is [`Decay`](super::decay::Decay), which knows parameters by name.

use super::record::{Slots, Stored};
use crate::{
    config::AdamConfig,
    state::{Named, StateError},
};
use burn::{
    optim::{Adam, AdamState, AdamW, AdamWState, AdaptiveMomentumState},
    tensor::{Tensor, backend::Backend},
};

/// Burn's Adam.
pub(super) fn adam(config: &AdamConfig) -> Adam {
    burn::optim::AdamConfig::new()
        .with_beta_1(config.betas[0] as f32)
        .with_beta_2(config.betas[1] as f32)
        .with_epsilon(config.eps as f32)
        .build()
}

/// Burn's AdamW without its decay.
pub(super) fn adamw(config: &AdamConfig) -> AdamW {
    burn::optim::AdamWConfig::new()
        .with_beta_1(config.betas[0] as f32)
        .with_beta_2(config.betas[1] as f32)
        .with_epsilon(config.eps as f32)
        .with_weight_decay(0.0)
        .build()
}

impl<B: Backend> Stored<B> for Adam {
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

impl<B: Backend> Stored<B> for AdamW {
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

/// `moment_1.<name>`, `moment_2.<name>` and `time.<name>`: the updates so far, `[1]`.
pub(super) fn store<B: Backend, const D: usize>(
    moments: AdaptiveMomentumState<B, D>,
    name: &str,
    to: &mut Named,
) {
    to.insert(format!("moment_1.{name}"), moments.moment_1.into_data());
    to.insert(format!("moment_2.{name}"), moments.moment_2.into_data());
    to.insert(format!("time.{name}"), burn::tensor::TensorData::new(vec![moments.time as i64], [1]));
}

/// What [`store`] stored.
pub(super) fn restore<B: Backend, const D: usize>(
    like: &Tensor<B, D>,
    slots: &mut Slots,
) -> Result<Option<AdaptiveMomentumState<B, D>>, StateError> {
    let Some(time) = slots.count("time")? else { return Ok(None) };
    let first = slots.need("moment_1", like)?;
    Ok(Some(AdaptiveMomentumState::new(time, first, slots.need("moment_2", like)?)))
}
