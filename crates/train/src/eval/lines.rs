//! What an evaluation says in the log: a line for every score, also for one that could not be computed.

use crate::{
    Kinds,
    config::Variant,
    progress::{Event, Observer},
};
use serde_json::{Value, json};

/// `kind` of a line about a score that could not be computed.
pub(crate) const FAILED: &str = "score-failed";

/// What a score is of.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    /// Label of the average.
    pub ema: &'a str,
    /// Network evaluations a sample.
    pub nfe: usize,
    /// Name of the metric.
    pub metric: &'static str,
}

/// A score with what it is compared with.
pub(super) struct Found<'a> {
    pub value: f64,
    /// Samples.
    pub n: usize,
    /// The real data, in words.
    pub reference: &'a str,
    /// Data against data.
    pub floor: f64,
}

/// The lines of the evaluation of one step.
pub(super) struct Lines<'a, K: Kinds> {
    pub variant: &'a Variant<K>,
    pub step: u64,
    /// Digest of the data set.
    pub digest: &'a str,
    pub lines: Vec<Value>,
}

impl<K: Kinds> Lines<'_, K> {
    /// Adds a score, or why there is none; a score that is no number is none.
    pub fn add(&mut self, of: Of, found: Result<Found, String>, observer: &mut dyn Observer) {
        let Of { ema, nfe, metric } = of;
        let (step, solver) = (self.step, self.variant.eval.solver.name());
        let images = step * self.variant.train.batch as u64;
        let found = found.and_then(|found| match found.value.is_finite() {
            true => Ok(found),
            false => Err(format!("the score is {}", found.value)),
        });
        self.lines.push(match &found {
            Ok(Found { value, n, reference, floor }) => {
                observer.on(Event::Score { step, ema, nfe, metric, value: *value });
                json!({
                    "kind": "eval", "step": step, "images": images, "ema": ema, "solver": solver, "nfe": nfe,
                    "metric": metric, "value": value, "n": n, "reference": reference, "digest": self.digest,
                    "floor": floor,
                })
            }
            Err(error) => {
                observer.on(Event::ScoreFailed { step, ema, nfe, metric, error });
                json!({
                    "kind": FAILED, "step": step, "images": images, "ema": ema, "solver": solver, "nfe": nfe,
                    "metric": metric, "error": error,
                })
            }
        });
    }
}
