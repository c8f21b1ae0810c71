//! Digests of a run's state, so that two runs can be compared to the bit.

use crate::{TrainError, checkpoint, checkpoint::Checkpoint, state::Named};
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
    let checkpoint = newest(run)?;
    let mut state = Sha256::new();
    add(&mut state, &checkpoint.tensors);
    state.update(checkpoint.progress.step.to_le_bytes());
    state.update(checkpoint.progress.images.to_le_bytes());
    let mut weights = Sha256::new();
    add(&mut weights, &checkpoint.part("net."));
    let hex = |hash: Sha256| hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Digest { weights: hex(weights), state: hex(state), step: checkpoint.progress.step })
}

/// The newest checkpoint of a run.
///
/// # Errors
/// [`TrainError::NoRun`] if there is none, and those of [`Checkpoint::load`].
pub fn newest(run: &Path) -> Result<Checkpoint, TrainError> {
    let no_run = |reason: &str| TrainError::NoRun { path: run.to_owned(), reason: reason.to_owned() };
    let folder = run.join("checkpoints");
    if !folder.is_dir() {
        return Err(no_run(
            "there is no folder `checkpoints`; give a folder like runs/<experiment>/<variant>",
        ));
    }
    let all = checkpoint::list(&folder)?;
    let (_, path) = all.last().ok_or_else(|| no_run("it has no checkpoint yet"))?;
    Checkpoint::load(path)
}

/// By name: name, element type, shape, little-endian bytes.
fn add(hash: &mut Sha256, tensors: &Named) {
    for (name, data) in tensors {
        hash.update(format!("{name}\0{:?}\0{:?}\0", data.dtype, data.shape.to_vec()));
        hash.update(data.as_bytes());
    }
}
