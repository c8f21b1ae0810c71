//! What can be wrong with a reference file.

use std::path::{Path, PathBuf};

/// A reference file that cannot be compared with at all; a disagreement is no error but a [`ParityRow`](crate::ParityRow) that failed.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceFileError {
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
}

impl ReferenceFileError {
    /// What is wrong with a metadata entry.
    pub fn metadata(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Metadata { key: key.into(), reason: reason.into() }
    }

    /// What is wrong with a tensor.
    pub fn tensor(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Tensor { name: name.into(), reason: reason.into() }
    }

    pub(crate) fn format(path: &Path, reason: impl ToString) -> Self {
        Self::Format { path: path.into(), reason: reason.to_string() }
    }
}
