//! What a run tells whoever watches it, and whether it is to stop.

use burn::tensor::backend::Backend;
use meanflow_score::{Machine, ScoreError, Work};
use serde_json::Value;
use std::{
    cell::RefCell,
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

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
        report: &'a meanflow_generator::Loaded,
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
        /// Mean of the measure `raw` since the last line, by convention `‖u − u_tgt‖²`; `None`: the objective has none.
        raw: Option<f32>,
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
    /// Parts of the current task are done.
    Parts {
        /// How many more.
        count: u64,
    },
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

/// In a line or several; nothing of those that come too often to be lines.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { variant, parameters, step, steps, batch } => {
                write!(f, "{variant}: {parameters} parameters, {steps} steps of {batch} images")?;
                if *step > 0 { write!(f, ", going on from step {step}") } else { Ok(()) }
            }
            Self::Damaged { aside, step } => {
                for (path, reason) in &aside.files {
                    writeln!(f, "damaged checkpoint, kept as {}: {reason}", path.display())?;
                }
                write!(f, "going on from step {step}; {} steps are lost and trained again", aside.lost)
            }
            Self::Note { text } => write!(f, "note: {text}"),
            Self::Weights { report } => write!(f, "initial weights: {report}"),
            Self::Task { what, .. } => write!(f, "  {what}"),
            Self::Score { ema, nfe, metric, value, .. } => {
                write!(f, "    NFE {nfe:>3}  {metric} {value:.4}  (average {ema})")
            }
            Self::ScoreFailed { ema, nfe, metric, error, .. } => {
                write!(f, "    NFE {nfe:>3}  {metric} failed: {error}  (average {ema})")
            }
            Self::Step { .. } | Self::Train { .. } | Self::Parts { .. } | Self::Checkpoint { .. } => Ok(()),
        }
    }
}

/// Receives the events of a run.
pub trait Observer {
    /// Called on the training thread: be quick.
    fn on(&mut self, event: Event<'_>);
}

/// A device, whoever watches what it does, and the wish to stop it.
pub struct Watched<'a, B: Backend> {
    /// The device.
    pub device: &'a B::Device,
    observer: RefCell<&'a mut dyn Observer>,
    /// Becomes true when it is to stop.
    pub stop: &'a AtomicBool,
}

impl<'a, B: Backend> Watched<'a, B> {
    /// On this device, for this observer.
    pub fn new(device: &'a B::Device, observer: &'a mut dyn Observer, stop: &'a AtomicBool) -> Self {
        Self { device, observer: RefCell::new(observer), stop }
    }

    /// Tells the observer.
    pub fn on(&self, event: Event<'_>) {
        self.observer.borrow_mut().on(event);
    }
}

/// Scores are computed where the run is, and told as its events.
impl<B: Backend> Machine for Watched<'_, B> {
    fn run<W: Work>(&self, work: W) -> Result<W::Output, ScoreError> {
        work.on::<B>(self.device)
    }

    fn begin(&self, what: &str, parts: usize) {
        self.on(Event::Task { what: what.to_owned(), parts: parts as u64 });
    }

    fn more(&self, parts: usize) -> Result<(), ScoreError> {
        if parts > 0 {
            self.on(Event::Parts { count: parts as u64 });
        }
        if self.stop.load(Ordering::Relaxed) { Err(ScoreError::Stopped) } else { Ok(()) }
    }

    fn end(&self) {}

    fn note(&self, text: &str) {
        self.on(Event::Note { text });
    }

    fn told(&self, line: &Value) {
        let (step, nfe) = (line["step"].as_u64().unwrap_or(0), line["nfe"].as_u64().unwrap_or(0) as usize);
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let (ema, metric) = (text("ema"), text("metric"));
        self.on(match line["value"].as_f64() {
            Some(value) => Event::Score { step, ema, nfe, metric, value },
            None => Event::ScoreFailed { step, ema, nfe, metric, error: text("error") },
        });
    }
}

/// Ignores everything.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _event: Event<'_>) {}
}
