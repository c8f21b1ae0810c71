//! Digests of a run's state, so that two runs can be compared to the bit.

use crate::{
    TrainError,
    checkpoint::{Checkpoint, newest},
};
use std::{fmt, path::Path};

/// Digests of a checkpoint, as hexadecimal sha256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Over the raw weights.
    pub weights: String,
    /// Over weights, averages, optimizer state and the number of images seen (which is the data cursor).
    pub state: String,
    /// Updates done.
    pub step: u64,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  weights at step {}\n{}  whole state", self.weights, self.step, self.state)
    }
}

/// The digests of the newest checkpoint in a run folder.
///
/// # Errors
/// [`TrainError::NoRun`] if there is none, and those of [`Checkpoint::load`].
pub fn digest(run: &Path) -> Result<Digest, TrainError> {
    let Checkpoint { progress, tensors, .. } = Checkpoint::load(&newest(run)?)?;
    let all = tensors.iter().map(|(name, data)| (name.as_str(), data));
    let weights = all.clone().filter_map(|(name, data)| Some((name.strip_prefix("net.")?, data)));
    let sum = meanflow_state::Digest::default;
    Ok(Digest {
        weights: sum().tensors(weights).finish(),
        state: sum().tensors(all).number(progress.step).number(progress.images).finish(),
        step: progress.step,
    })
}
