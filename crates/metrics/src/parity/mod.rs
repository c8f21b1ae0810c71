//! Comparison with reference numbers that other people's code made.
//!
//! A reference file is a safetensors file whose metadata names its `kind`. [`run`] computes every number that it expects and
//! reports how far apart they are.

mod inception;
mod metrics;

use std::path::Path;

use burn::tensor::backend::Backend;

use crate::MetricError;
use meanflow_parity::{ParityReport, ReferenceFile, ReferenceFileError};

/// Kinds of reference files that this crate can compare with.
pub const KINDS: [&str; 2] = [metrics::KIND, inception::KIND];

/// A reference file that cannot be compared with at all; a disagreement is no error but a [`ParityRow`](meanflow_parity::ParityRow) that failed.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// The file is no such file, or contradicts itself.
    #[error(transparent)]
    File(#[from] ReferenceFileError),
    /// No code of this crate compares with files of this kind.
    #[error("unknown kind `{kind}`; known kinds: {}", KINDS.join(", "))]
    Kind {
        /// The kind in the file's metadata.
        kind: String,
    },
    /// A metric refuses the file's inputs.
    #[error("`{quantity}`: {error}")]
    Metric {
        /// What was to be computed.
        quantity: String,
        /// Why it was not.
        error: MetricError,
    },
}

/// Compares this implementation with the reference numbers in `path`; networks run on backend `B`.
///
/// # Errors
/// [`ParityError`] if the file is unreadable, of an unknown kind, or not consistent with itself.
pub fn run<B: Backend>(path: &Path, device: &B::Device) -> Result<ParityReport, ParityError> {
    let file = ReferenceFile::read(path)?;
    match file.metadata("kind")? {
        metrics::KIND => metrics::compare(&file),
        inception::KIND => inception::compare::<B>(&file, device),
        kind => Err(ParityError::Kind { kind: kind.into() }),
    }
}
