//! What can be wrong with a file.

use std::io;

/// Why a file, or a tensor in it, cannot be read. The caller knows the path and says it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no such file, cut short or damaged.
    #[error("{0}")]
    Broken(String),
    /// It is whole, but holds something that is not read here.
    #[error("{0}")]
    Unsupported(String),
    /// It asks for more memory or work than a file of its size can be worth.
    #[error("{0}")]
    TooLarge(String),
    /// It has no tensor of this name.
    #[error("there is no `{0}` in it")]
    Missing(String),
}

impl FileError {
    pub(crate) fn broken(reason: impl Into<String>) -> Self {
        Self::Broken(reason.into())
    }

    pub(crate) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(reason.into())
    }

    pub(crate) fn too_large(reason: impl Into<String>) -> Self {
        Self::TooLarge(reason.into())
    }
}
