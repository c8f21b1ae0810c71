//! Comparison with reference numbers that other people's code made.
//!
//! A reference file is a safetensors file whose metadata names its `kind` and its configuration; it holds weights
//! (`param.*`), inputs (`in.*`), results (`out.*`) and gradients of `out.loss` (`grad.*`). [`run`] loads the weights into
//! this crate's network, computes every result and gradient the file names and reports how far apart they are.

mod dit_meanflow;
mod file;
mod imf_dit;
mod inputs;
mod layout;
mod meanflow;
mod objective;
mod report;
mod songunet_meanflow;

pub use report::{Discrepancy, ParityReport, ParityRow};

use std::path::{Path, PathBuf};

use meanflow_core::objective::{Objectives, ReferenceError, TrainBackend};

use crate::{NetError, weights::WeightsError};
use file::ReferenceFile;

/// Kinds of reference files this crate can compare with.
pub const KINDS: [&str; 4] = [dit_meanflow::KIND, songunet_meanflow::KIND, imf_dit::KIND, objective::KIND];

/// A reference file that cannot be compared with at all; a disagreement is no error but a [`ParityRow`] that failed.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no safetensors file.
    #[error("{} is not a valid safetensors file: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No code compares with files of this kind.
    #[error("unknown kind `{kind}`; known kinds: {}", KINDS.join(", "))]
    Kind {
        /// The kind in the file's metadata.
        kind: String,
    },
    /// A metadata entry is missing or malformed.
    #[error("metadata `{key}`: {reason}")]
    Metadata {
        /// Name of the entry.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor is missing, has a wrong shape or a wrong value.
    #[error("tensor `{name}`: {reason}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
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
        objective::KIND => objective::compare::<B, O>(path, &file, device),
        songunet_meanflow::KIND => songunet_meanflow::compare::<B>(&file, device),
        _ => Err(ParityError::Kind { kind: kind.into() }),
    }
}

#[cfg(test)]
mod tests;
