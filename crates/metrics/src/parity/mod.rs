//! Comparison with reference numbers that other people's code made.
//!
//! A reference file is a safetensors file whose metadata names its `kind`. [`run`] computes every number that it expects and
//! reports how far apart they are.

mod file;
mod inception;
mod metrics;
mod report;

pub use report::{Discrepancy, Report, Row};

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;

use crate::MetricError;
use file::ReferenceFile;

/// Kinds of reference files that this crate can compare with.
pub const KINDS: [&str; 2] = [metrics::KIND, inception::KIND];

/// A reference file that cannot be compared with at all; a disagreement is no error but a [`Row`] that failed.
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
    /// No code of this crate compares with files of this kind.
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
    /// A tensor is missing or not what is wanted.
    #[error("tensor `{name}`: {reason}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
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

/// The kind in a reference file's metadata, without reading its tensors' values.
///
/// # Errors
/// A file that cannot be read, is no safetensors file or names no kind.
pub fn kind(path: &Path) -> Result<String, ParityError> {
    ReferenceFile::kind(path)
}

/// Compares this implementation with the reference numbers in `path`; networks run on backend `B`.
///
/// # Errors
/// [`ParityError`] if the file is unreadable, of an unknown kind, or not consistent with itself.
pub fn run<B: Backend>(path: &Path, device: &B::Device) -> Result<Report, ParityError> {
    let file = ReferenceFile::read(path)?;
    match file.metadata("kind")? {
        metrics::KIND => metrics::compare(&file),
        inception::KIND => inception::compare::<B>(&file, device),
        kind => Err(ParityError::Kind { kind: kind.into() }),
    }
}
