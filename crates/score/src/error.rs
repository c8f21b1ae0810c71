//! Why there is no score.

use meanflow_data::DataError;
use meanflow_metrics::{InputError, MetricError};
use meanflow_nets::NetError;
use meanflow_state::StateError;
use std::error::Error;

/// An error of scoring.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// Asked for something that makes no sense, in words.
    #[error("{0}")]
    Request(String),
    /// What is scored, or scored against, does not fit or is not there, in words.
    #[error("{0}")]
    Unfit(String),
    /// A score.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A file of samples, statistics or weights.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Weights of another network.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file that cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The loss of a classifier is no number any more.
    #[error("the loss became {loss} at step {step}")]
    Diverged {
        /// The first such step, from 1.
        step: u64,
        /// That value.
        loss: f32,
    },
    /// Asked to stop.
    #[error("stopped on request")]
    Stopped,
    /// What a run, an experiment file or a device said.
    #[error(transparent)]
    Outside(Box<dyn Error + Send + Sync>),
    /// An error, and what it is of.
    #[error("{what}: {error}")]
    Of {
        /// The input, the score, the file.
        what: String,
        /// What is wrong.
        error: Box<ScoreError>,
    },
}

impl ScoreError {
    /// What somebody else said.
    pub fn outside(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Outside(error.into())
    }

    /// The error without what it is of.
    pub fn root(&self) -> &Self {
        match self {
            Self::Of { error, .. } => error.root(),
            other => other,
        }
    }
}

/// Says what an error is of.
pub(crate) trait Of<T> {
    fn of(self, what: impl FnOnce() -> String) -> Result<T, ScoreError>;
}

impl<T, E: Into<ScoreError>> Of<T> for Result<T, E> {
    fn of(self, what: impl FnOnce() -> String) -> Result<T, ScoreError> {
        self.map_err(|error| ScoreError::Of { what: what(), error: Box::new(error.into()) })
    }
}

/// [`ScoreError::Request`] unless it holds.
pub(crate) fn ensure_request(holds: bool, message: impl FnOnce() -> String) -> Result<(), ScoreError> {
    if holds { Ok(()) } else { Err(ScoreError::Request(message())) }
}

/// [`ScoreError::Unfit`] unless it holds.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), ScoreError> {
    if holds { Ok(()) } else { Err(ScoreError::Unfit(message())) }
}

/// Refuses what is given twice, which would be computed twice and be one entry of the JSON.
pub(crate) fn twice<T: PartialEq + std::fmt::Debug>(what: &str, items: &[T]) -> Result<(), ScoreError> {
    let again = items.iter().enumerate().find(|(place, item)| items[..*place].contains(item));
    ensure_request(again.is_none(), || format!("{what} has {:?} twice", again.expect("just seen").1))
}
