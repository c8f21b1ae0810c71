//! The moments of Adam and its relatives as named tensors.

use super::record::Slots;
use burn::{
    optim::AdaptiveMomentumState,
    tensor::{Tensor, backend::Backend},
};
use meanflow_state::{Named, StateError};

/// `moment_1.<name>`, `moment_2.<name>` and `time.<name>`: the updates so far, `[1]`.
pub(crate) fn store<B: Backend, const D: usize>(
    moments: AdaptiveMomentumState<B, D>,
    name: &str,
    to: &mut Named,
) {
    to.insert(format!("moment_1.{name}"), moments.moment_1.into_data());
    to.insert(format!("moment_2.{name}"), moments.moment_2.into_data());
    to.insert(format!("time.{name}"), burn::tensor::TensorData::new(vec![moments.time as i64], [1]));
}

/// What [`store`] stored.
pub(crate) fn restore<B: Backend, const D: usize>(
    like: &Tensor<B, D>,
    slots: &mut Slots,
) -> Result<Option<AdaptiveMomentumState<B, D>>, StateError> {
    let Some(time) = slots.count("time")? else { return Ok(None) };
    let first = slots.need("moment_1", like)?;
    Ok(Some(AdaptiveMomentumState::new(time, first, slots.need("moment_2", like)?)))
}
