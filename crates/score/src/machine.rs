//! Where networks run, and who watches: what the caller of this crate brings.

use crate::ScoreError;
use burn::tensor::backend::Backend;
use serde_json::Value;

/// A device with somebody who is told how far the work has come.
pub trait Machine {
    /// Does the work on a backend.
    ///
    /// # Errors
    /// Those of the work, or that there is no such device.
    fn run<W: Work>(&self, work: W) -> Result<W::Output, ScoreError>;

    /// Work of so many parts begins.
    fn begin(&self, what: &str, parts: usize);

    /// So many more parts are done; 0 asks whether to go on.
    ///
    /// # Errors
    /// [`ScoreError::Stopped`] if there shall be no others.
    fn more(&self, parts: usize) -> Result<(), ScoreError>;

    /// The work that began last is done.
    fn end(&self);

    /// Something that the user ought to know, a sentence without a full stop.
    fn note(&self, text: &str);

    /// A line of a run's log, as it will be written.
    fn told(&self, _line: &Value) {}
}

/// Work on any device.
pub trait Work {
    /// What comes of it.
    type Output;

    /// Does it on backend `B`.
    ///
    /// # Errors
    /// Those of the work.
    fn on<B: Backend>(self, device: &B::Device) -> Result<Self::Output, ScoreError>;
}
