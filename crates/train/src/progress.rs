//! What a run tells whoever watches it, and whether it is to stop.

use crate::TrainError;
use std::sync::atomic::{AtomicBool, Ordering};

/// Events of a run, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// A variant begins or goes on.
    Start {
        /// Its name.
        variant: &'a str,
        /// Trainable parameters.
        parameters: usize,
        /// Updates done before.
        step: u64,
        /// Updates in all.
        steps: u64,
        /// Samples of an update.
        batch: usize,
    },
    /// Checkpoints are damaged, and the run goes on from an older one.
    Damaged {
        /// The damaged files, and the steps lost with them.
        aside: &'a crate::checkpoint::SetAside,
        /// Updates of the one that is used.
        step: u64,
    },
    /// Something that the user ought to know.
    Note {
        /// A sentence without a full stop.
        text: &'a str,
    },
    /// The weights start from a file.
    Weights {
        /// What was taken from it.
        report: &'a crate::weights::Report,
    },
    /// An update was started; on a GPU it may still be in flight.
    Step {
        /// Updates so far.
        step: u64,
    },
    /// A line of the training log.
    Train {
        /// Updates so far.
        step: u64,
        /// Mean of `‖u − u_tgt‖²` since the last line.
        raw: f32,
        /// Mean of the minimised loss since the last line.
        loss: f32,
    },
    /// Something that takes a while besides training: evaluation, reference statistics.
    Task {
        /// What, in a few words.
        what: String,
        /// Parts of it in all.
        parts: u64,
    },
    /// A part of the current task is done.
    Part,
    /// A score.
    Score {
        /// Updates so far.
        step: u64,
        /// Label of the average.
        ema: &'a str,
        /// Network evaluations a sample.
        nfe: usize,
        /// Name of the metric.
        metric: &'a str,
        /// Its value.
        value: f64,
    },
    /// A score that could not be computed; the run goes on.
    ScoreFailed {
        /// Updates so far.
        step: u64,
        /// Label of the average.
        ema: &'a str,
        /// Network evaluations a sample.
        nfe: usize,
        /// Name of the metric.
        metric: &'a str,
        /// Why not.
        error: &'a str,
    },
    /// A checkpoint is on the disk.
    Checkpoint {
        /// Updates so far.
        step: u64,
    },
}

/// Receives the events of a run.
pub trait Observer {
    /// Called on the training thread: be quick.
    fn on(&mut self, event: Event<'_>);
}

/// An observer of something that takes a while, with the wish to stop it.
pub struct Watched<'a> {
    /// Who watches.
    pub observer: &'a mut dyn Observer,
    /// Becomes true when it is to stop.
    pub stop: &'a AtomicBool,
}

impl Watched<'_> {
    /// A part of the current task is done.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] if there shall be no other.
    pub fn part(&mut self) -> Result<(), TrainError> {
        self.observer.on(Event::Part);
        if self.stop.load(Ordering::Relaxed) { Err(TrainError::Stopped) } else { Ok(()) }
    }
}

/// Ignores everything.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _event: Event<'_>) {}
}
