//! Comparison with reference numbers that other people's code made.
//!
//! A reference file is a safetensors file whose metadata names its `kind` and its configuration; it holds weights
//! (`param.*`), inputs (`in.*`), results (`out.*`) and gradients of `out.loss` (`grad.*`). [`run`] loads the weights into
//! this crate's network, computes every result and gradient the file names and reports how far apart they are.

mod dit_meanflow;
mod imf_dit;
mod inputs;
mod layout;
mod meanflow;
mod objective;
mod songunet_meanflow;

use std::path::Path;

use meanflow_core::objective::{Objectives, ReferenceError, TrainBackend};

use crate::{NetError, weights::WeightsError};
use meanflow_parity::{ParityReport, ReferenceFile, ReferenceFileError};

/// Kinds of reference files this crate can compare with.
pub const KINDS: [&str; 4] = [dit_meanflow::KIND, songunet_meanflow::KIND, imf_dit::KIND, objective::KIND];

/// A reference file that cannot be compared with at all; a disagreement is no error but a [`ParityRow`](meanflow_parity::ParityRow) that failed.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// The file is no such file, or contradicts itself.
    #[error(transparent)]
    File(#[from] ReferenceFileError),
    /// No code compares with files of this kind.
    #[error("unknown kind `{kind}`; known kinds: {}", KINDS.join(", "))]
    Kind {
        /// The kind in the file's metadata.
        kind: String,
    },
    /// A file of an objective lacks something.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The configuration describes no network.
    #[error("configuration: {0}")]
    Net(#[from] NetError),
    /// The weights are not those of the network.
    #[error("weights: {0}")]
    Weights(#[from] WeightsError),
}

/// Compares this implementation, on backend `B` and with the objectives `O`, with the reference numbers in `path`.
///
/// # Errors
/// [`ParityError`] if the file is unreadable, of an unknown kind, or not consistent with its own configuration.
pub fn run<B: TrainBackend, O: Objectives>(
    path: &Path,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let file = ReferenceFile::read(path)?;
    let kind = file.metadata("kind")?;
    match kind {
        dit_meanflow::KIND => dit_meanflow::compare::<B>(&file, device),
        imf_dit::KIND => imf_dit::compare::<B>(&file, device),
        objective::KIND => objective::compare::<B, O>(&file, device),
        songunet_meanflow::KIND => songunet_meanflow::compare::<B>(&file, device),
        _ => Err(ParityError::Kind { kind: kind.into() }),
    }
}

#[cfg(test)]
mod tests;
