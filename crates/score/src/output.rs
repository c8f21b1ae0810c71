//! What was computed of an input, and how it is told.

use crate::{ScoreError, nearest};
use meanflow_metrics::{Better, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

/// What was computed of one input.
#[derive(Debug)]
pub struct Output {
    /// The input as it was given.
    pub input: String,
    /// Network evaluations a sample, of a run.
    pub nfe: Option<usize>,
    /// How a run's samples were drawn, and the key of what was chosen.
    pub of: Map<String, Json>,
    /// The numbers.
    pub scores: Vec<Score>,
    /// Samples that were scored.
    pub n: Option<usize>,
    /// How many real samples there are.
    pub reference_n: Option<usize>,
    /// The picture of nearest neighbours, if it was asked for.
    pub nearest: Option<nearest::Found>,
    /// Scores that could not be computed.
    pub failures: Vec<ScoreError>,
}

/// One score.
#[derive(Clone, Debug)]
pub struct Score {
    /// What it is called.
    pub name: String,
    /// The number.
    pub value: Value,
    /// The same of real samples.
    pub floor: Option<f64>,
    /// Digest of the real data that it was compared with.
    pub reference: Option<String>,
    /// Real samples it was computed from, where the source says.
    pub real: Option<usize>,
    /// How pictures came to the network, in words.
    pub how: Map<String, Json>,
    /// Which values are better.
    pub better: Better,
}

impl Score {
    /// A distance of which no more is known.
    pub(crate) fn new(name: String, value: Value) -> Self {
        Self { name, value, floor: None, reference: None, real: None, how: Map::new(), better: Better::Lower }
    }
}

impl Output {
    /// One number a line after its name; then the samples' number, the real data's digest and what pictures went through. Where
    /// there are several inputs, each begins with its name.
    pub fn lines(&self, several: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut tell = |line: String| lines.push(line);
        if several {
            tell(format!("input {}", self.input));
            if let Some(nfe) = self.nfe {
                tell(format!("nfe {nfe}"));
            }
        }
        for score in &self.scores {
            let name = &score.name;
            tell(format!("{name} {}", score.value.value));
            if let Some([low, high]) = score.value.interval {
                tell(format!("{name}.low {low}\n{name}.high {high}"));
            }
            if let Some(floor) = score.floor {
                tell(format!("{name}.floor {floor}"));
            }
            // Of sets of equal size, how many were compared.
            let compared = score.value.with.iter().find(|(name, _)| *name == "n").map(|(_, n)| *n as usize);
            if let Some(n) = compared.filter(|n| self.n != Some(*n)) {
                tell(format!("{name}.n {n}"));
            }
        }
        if let Some(n) = self.n {
            tell(format!("n {n}"));
        }
        if let Some(reference) = self.scores.iter().find_map(|score| score.reference.as_ref()) {
            tell(format!("reference {reference}"));
        }
        if let Some(n) = self.reference_n {
            tell(format!("reference_n {n}"));
        }
        for (key, value) in &self.of {
            tell(format!("{key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
        let mut settings = BTreeSet::new();
        for key in ["quantise", "resize", "weights"] {
            settings
                .extend(self.scores.iter().filter_map(|score| Some((key, score.how.get(key)?.as_str()?))));
        }
        for (key, value) in settings {
            tell(format!("{key} {value}"));
        }
        if let Some(found) = self.nearest.as_ref().and_then(|nearest| nearest.compared.as_ref()) {
            tell(format!("nearest.samples {}\nnearest.held_out {}", found.samples, found.held_out));
            tell(format!("nearest.close {}", found.close));
        }
        lines
    }

    /// An object of the scores by name.
    pub fn json(&self) -> Json {
        let scores = self.scores.iter().map(|score| (score.name.clone(), Json::Object(self.score(score))));
        let nearest = self.nearest.as_ref().map(|nearest| {
            let object = json!({
                "picture": nearest.path.to_string_lossy(), "space": nearest.space, "searched": nearest.searched,
                "samples": nearest.compared.map(|found| found.samples),
                "held_out": nearest.compared.map(|found| found.held_out),
                "close": nearest.compared.map(|found| found.close),
            });
            ("nearest".to_owned(), object)
        });
        Json::Object(scores.chain(nearest).collect())
    }

    /// The input, and of a run the evaluations.
    pub fn key(&self) -> String {
        match self.nfe {
            Some(nfe) => format!("{}@{nfe}", self.input),
            None => self.input.clone(),
        }
    }

    fn score(&self, score: &Score) -> Map<String, Json> {
        let mut object = Map::new();
        object.insert("value".to_owned(), json!(score.value.value));
        object.insert("interval".to_owned(), json!(score.value.interval));
        object.insert("n".to_owned(), json!(self.n));
        object.insert("reference".to_owned(), json!(score.reference));
        object.insert("reference_n".to_owned(), json!(score.real));
        for (name, value) in &score.value.with {
            object.insert((*name).to_owned(), number(*value));
        }
        object.extend(score.floor.map(|floor| ("floor".to_owned(), json!(floor))));
        if let Some(nfe) = self.nfe {
            object.extend([("run".to_owned(), json!(self.input)), ("nfe".to_owned(), json!(nfe))]);
        }
        object.extend(self.of.clone());
        object.extend(score.how.clone());
        object
    }
}

/// A setting; counts and keys are whole.
pub(crate) fn number(value: f64) -> Json {
    let whole = value.fract() == 0.0 && value.abs() < 1e15;
    if whole { json!(value as i64) } else { json!(value) }
}
