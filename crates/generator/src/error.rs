//! Why there is no generator, or no samples of it.

use meanflow_nets::NetError;
use meanflow_state::StateError;
use meanflow_weights::FileError;
use std::path::{Path, PathBuf};

/// An error of a generator or its file.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// Asked for something that the generator does not have, in words.
    #[error("{0}")]
    Request(String),
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The network as an ONNX file.
    #[error(transparent)]
    Onnx(#[from] meanflow_onnx::OnnxError),
    /// A file could not be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file of weights that cannot be used.
    #[error("{path}: {reason}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and with which tensor.
        reason: String,
    },
    /// Weights of another network.
    #[error("{path}: {error}")]
    State {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        error: StateError,
    },
}

impl GeneratorError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Write { path, error }
    }

    pub(crate) fn weights(path: &Path) -> impl Fn(String) -> Self {
        let path = path.to_owned();
        move |reason| Self::Weights { path: path.clone(), reason }
    }

    /// What is wrong with a file that was to be read.
    pub(crate) fn file(path: &Path) -> impl Fn(FileError) -> Self {
        let path = path.to_owned();
        move |error| match error {
            FileError::Io(error) => Self::Read { path: path.clone(), error },
            other => Self::Weights { path: path.clone(), reason: other.to_string() },
        }
    }
}
