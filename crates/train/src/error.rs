//! What can go wrong in a run.

use crate::config::Difference;
use meanflow_generator::GeneratorError;
use meanflow_score::ScoreError;
use meanflow_state::StateError;
use std::path::{Path, PathBuf};

/// An error of training, evaluation or a run folder.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Data(#[from] meanflow_data::DataError),
    /// The network.
    #[error(transparent)]
    Net(#[from] meanflow_nets::NetError),
    /// A generator or its file.
    #[error(transparent)]
    Generator(GeneratorError),
    /// A score, or what it is of.
    #[error(transparent)]
    Score(ScoreError),
    /// A file could not be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Another process trains in this folder.
    #[error("{0} is in use by another process; wait for it, or train elsewhere with --runs-dir")]
    Locked(PathBuf),
    /// The folder holds a run of another experiment file.
    #[error("{path} holds a run of another configuration:{}\nTo go on with it, undo the change; for a new run, move the folder away, change `name`, or use --runs-dir.", lines(.differences))]
    Changed {
        /// The run folder.
        path: PathBuf,
        /// Keys that differ.
        differences: Vec<Difference>,
    },
    /// The data is not what the run was started with.
    #[error(
        "{path} was started with other data (sha256 {before}, now {now}); give it the same files, or use --runs-dir for a new run"
    )]
    OtherData {
        /// The run folder.
        path: PathBuf,
        /// Digest at the start.
        before: String,
        /// Digest now.
        now: String,
    },
    /// The initial weights are not those that the run was started from.
    #[error(
        "{path} was started from other weights (sha256 {before}) than {file} holds now ({now}); put the same file there, or none, since the weights are in the checkpoint; for a new run, use --runs-dir"
    )]
    OtherWeights {
        /// The run folder.
        path: PathBuf,
        /// The file of `init.weights`.
        file: PathBuf,
        /// Digest at the start.
        before: String,
        /// Digest now.
        now: String,
    },
    /// The log lost lines that a checkpoint had counted.
    #[error(
        "{path} has {found} bytes, the last checkpoint needs {expected}; restore the file or start the run anew in another folder"
    )]
    LogTooShort {
        /// The log.
        path: PathBuf,
        /// Bytes there.
        found: u64,
        /// Bytes at the checkpoint.
        expected: u64,
    },
    /// The log was taken away while a run wrote to it.
    #[error(
        "{path} was {what} by another program while the run was writing to it; the last checkpoint is untouched: restore the file and start again, or start the run anew in another folder"
    )]
    LogLost {
        /// The log.
        path: PathBuf,
        /// What was done to it.
        what: &'static str,
    },
    /// A checkpoint that is no checkpoint.
    #[error("{path} is not a usable checkpoint: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of weights that cannot be used.
    #[error("{path}: {reason}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and with which tensor.
        reason: String,
    },
    /// A checkpoint of another network.
    #[error("{path}: {error}")]
    State {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        error: StateError,
    },
    /// The loss is no number any more.
    #[error("the loss or its gradient became {loss} at step {step}; {}", match .checkpoint { Some(at) => format!("the checkpoint of step {at} is untouched"), None => "there is no checkpoint yet".to_owned() })]
    Diverged {
        /// The first step (from 1) with a loss or a gradient norm that is not finite.
        step: u64,
        /// That value.
        loss: f32,
        /// Step of the last good checkpoint.
        checkpoint: Option<u64>,
    },
    /// No run, or one without a checkpoint.
    #[error("{path} holds no run: {reason}")]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Asked to stop in the middle of something that can be done again.
    #[error("stopped on request")]
    Stopped,
    /// Asked for something the run does not have.
    #[error("{0}")]
    Request(String),
}

impl From<ScoreError> for TrainError {
    fn from(error: ScoreError) -> Self {
        match error {
            ScoreError::Stopped => Self::Stopped,
            ScoreError::Request(message) => Self::Request(message),
            ScoreError::Data(error) => Self::Data(error),
            other => Self::Score(other),
        }
    }
}

impl From<GeneratorError> for TrainError {
    fn from(error: GeneratorError) -> Self {
        match error {
            GeneratorError::Request(message) => Self::Request(message),
            GeneratorError::Net(error) => Self::Net(error),
            GeneratorError::Read { path, error } => Self::Read { path, error },
            GeneratorError::Write { path, error } => Self::Write { path, error },
            GeneratorError::Weights { path, reason } => Self::Weights { path, reason },
            GeneratorError::State { path, error } => Self::State { path, error },
            other @ GeneratorError::Onnx(_) => Self::Generator(other),
        }
    }
}

impl TrainError {
    /// Whether something else was asked for than there is or was: exit code 2, nothing was done.
    pub fn is_of_the_request(&self) -> bool {
        matches!(
            self,
            Self::Changed { .. } | Self::OtherData { .. } | Self::OtherWeights { .. } | Self::Request(_)
        )
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Write { path, error }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Read { path, error }
    }
}

fn lines(differences: &[Difference]) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
    let line = |difference: &Difference| {
        format!(
            "\n  {}: {} in the folder, {} now",
            difference.key,
            shown(&difference.before),
            shown(&difference.after)
        )
    };
    differences.iter().map(line).collect()
}
