//! What an evaluation says in the log: a line for every score, also for one that could not be computed.

use super::At;
use crate::Machine;
use meanflow_metrics::{Better, Named, Value};
use serde_json::{Value as Json, json};

/// `kind` of a line about a score that could not be computed.
pub const FAILED: &str = "score-failed";

/// What scores are of.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    /// Label of the average.
    pub ema: &'a str,
    /// Network evaluations a sample.
    pub nfe: usize,
}

/// Values with what they are compared with.
pub(super) struct Found<'a> {
    pub values: Vec<Value>,
    /// Samples.
    pub n: usize,
    /// The real data, in words.
    pub reference: &'a str,
    /// Data against data.
    pub floors: &'a [Value],
}

/// The lines of the evaluation of one step.
pub(super) struct Lines<'a, M> {
    pub machine: &'a M,
    pub at: At,
    pub solver: &'static str,
    /// Digest of the data set.
    pub digest: &'a str,
    pub lines: Vec<Json>,
}

impl<M: Machine> Lines<'_, M> {
    /// Adds the values of a metric, or why there are none.
    pub fn add(&mut self, of: Of, named: &Named, found: Result<Found, String>) {
        let Found { values, n, reference, floors } = match found {
            Ok(found) => found,
            Err(error) => return self.failed(of, &named.label, &error),
        };
        for value in values {
            let metric = named.part(value.part);
            // A score that is no number is none.
            if !value.value.is_finite() {
                self.failed(of, &metric, &format!("the score is {}", value.value));
                continue;
            }
            let floor = floors.iter().find(|floor| floor.part == value.part).map(|floor| floor.value);
            // Of sets of equal size, how many were compared.
            let compared = value.with.iter().find(|(name, _)| *name == "n").map(|(_, n)| *n as usize);
            let mut line = self.line("eval", of, &metric);
            line["value"] = json!(value.value);
            line["interval"] = json!(value.interval);
            line["n"] = json!(compared.unwrap_or(n));
            line["reference"] = json!(reference);
            line["digest"] = json!(self.digest);
            line["floor"] = json!(floor);
            if named.metric.better() != Better::Lower {
                line["better"] = json!(named.metric.better().name());
            }
            line["about"] = json!(named.metric.explained());
            self.push(line);
        }
    }

    fn failed(&mut self, of: Of, metric: &str, error: &str) {
        let mut line = self.line(FAILED, of, metric);
        line["error"] = json!(error);
        self.push(line);
    }

    fn line(&self, kind: &str, Of { ema, nfe }: Of, metric: &str) -> Json {
        let At { step, images, .. } = self.at;
        json!({
            "kind": kind, "step": step, "images": images, "ema": ema, "solver": self.solver, "nfe": nfe, "metric": metric,
        })
    }

    fn push(&mut self, line: Json) {
        self.machine.told(&line);
        self.lines.push(line);
    }
}
