//! Digests of a run's state, so that two runs can be compared to the bit.

use crate::{
    TrainError,
    checkpoint::{Checkpoint, newest},
};
use burn::tensor::TensorData;
use sha2::{Digest as _, Sha256};
use std::path::Path;

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

/// The digests of the newest checkpoint in a run folder.
///
/// # Errors
/// [`TrainError::NoRun`] if there is none, and those of [`Checkpoint::load`].
pub fn digest(run: &Path) -> Result<Digest, TrainError> {
    let checkpoint = Checkpoint::load(&newest(run)?)?;
    let mut state = Sha256::new();
    let all = checkpoint.tensors.iter().map(|(name, data)| (name.as_str(), data));
    add(&mut state, all.clone());
    state.update(checkpoint.progress.step.to_le_bytes());
    state.update(checkpoint.progress.images.to_le_bytes());
    let weights = of_weights(all.filter_map(|(name, data)| Some((name.strip_prefix("net.")?, data))));
    Ok(Digest { weights, state: hex(state), step: checkpoint.progress.step })
}

/// The sha256 over weights in the order of their names.
pub(crate) fn of_weights<'a>(weights: impl Iterator<Item = (&'a str, &'a TensorData)>) -> String {
    let mut hash = Sha256::new();
    add(&mut hash, weights);
    hex(hash)
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// By name: name, element type, shape, little-endian bytes.
fn add<'a>(hash: &mut Sha256, tensors: impl Iterator<Item = (&'a str, &'a TensorData)>) {
    for (name, data) in tensors {
        hash.update(format!("{name}\0{:?}\0{:?}\0", data.dtype, data.shape.to_vec()));
        hash.update(data.as_bytes());
    }
}
