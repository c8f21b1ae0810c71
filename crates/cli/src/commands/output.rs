//! What `meanflow eval` prints.

use crate::commands::{classify::Judged, density::Asked, features::Side, nearest};
use meanflow_data::Dataset;
use meanflow_metrics::Value;
use serde_json::{Map, json};
use std::collections::BTreeSet;

/// What was computed of one input.
pub struct Output {
    /// The input as it was given.
    pub input: String,
    /// Network evaluations a sample, of a run.
    pub nfe: Option<usize>,
    /// How a run's samples were drawn, and the key of what was chosen.
    pub of: Map<String, serde_json::Value>,
    pub scores: Vec<Score>,
    /// Samples that were scored.
    pub n: Option<usize>,
    /// How many real samples there are.
    pub reference_n: Option<usize>,
    pub nearest: Option<nearest::Found>,
    /// Scores that could not be computed.
    pub failures: Vec<anyhow::Error>,
}

impl Output {
    /// Adds what a classifier said of `n` samples.
    pub fn judged(&mut self, scores: Vec<Judged>, n: usize) {
        self.n = Some(n);
        let scores = scores.into_iter();
        self.scores.extend(scores.map(|Judged { name, value, reference, how }| Score {
            reference,
            how,
            ..Score::new(name, value)
        }));
    }

    /// Adds what a density says.
    pub fn of_density(&mut self, asked: &Asked, samples: &Side, data: &dyn Dataset) -> anyhow::Result<()> {
        let scores = asked.scores(asked.points(&samples.source)?, &samples.indices, data)?;
        self.scores.extend(scores.into_iter().map(|(name, value)| Score::new(name, value)));
        self.n = Some(samples.indices.len());
        Ok(())
    }
}

/// One score.
pub struct Score {
    pub name: String,
    pub value: Value,
    /// The same of real samples.
    pub floor: Option<f64>,
    /// Digest of the real data that it was compared with.
    pub reference: Option<String>,
    /// Real samples it was computed from, where the source says.
    pub real: Option<usize>,
    /// How pictures came to the network, in words.
    pub how: Map<String, serde_json::Value>,
}

impl Score {
    /// A score that compares with nothing.
    pub fn new(name: String, value: Value) -> Self {
        Self { name, value, floor: None, reference: None, real: None, how: Map::new() }
    }
}

/// One number a line after its name; then the samples' number, the real data's digest and what pictures went through. Where
/// there are several inputs, each begins with its name.
pub fn print_lines(output: &Output, several: bool) {
    if several {
        tell!("input {}", output.input);
        if let Some(nfe) = output.nfe {
            tell!("nfe {nfe}");
        }
    }
    for score in &output.scores {
        tell!("{} {}", score.name, score.value.value);
        if let Some([low, high]) = score.value.interval {
            tell!("{}.low {low}\n{}.high {high}", score.name, score.name);
        }
        if let Some(floor) = score.floor {
            tell!("{}.floor {floor}", score.name);
        }
        // Of sets of equal size, how many were compared.
        let compared = score.value.with.iter().find(|(name, _)| *name == "n").map(|(_, n)| *n as usize);
        if let Some(n) = compared.filter(|n| output.n != Some(*n)) {
            tell!("{}.n {n}", score.name);
        }
    }
    if let Some(n) = output.n {
        tell!("n {n}");
    }
    if let Some(reference) = output.scores.iter().find_map(|score| score.reference.as_ref()) {
        tell!("reference {reference}");
    }
    if let Some(n) = output.reference_n {
        tell!("reference_n {n}");
    }
    for (key, value) in &output.of {
        tell!("{key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    let mut settings = BTreeSet::new();
    for key in ["quantise", "resize", "weights"] {
        settings.extend(output.scores.iter().filter_map(|score| Some((key, score.how.get(key)?.as_str()?))));
    }
    for (key, value) in settings {
        tell!("{key} {value}");
    }
    if let Some(nearest) = &output.nearest {
        say!("{}: nearest of {} by {}", nearest.path.display(), nearest.searched, nearest.space);
        if let Some(found) = &nearest.compared {
            tell!("nearest.samples {}\nnearest.held_out {}", found.samples, found.held_out);
            tell!("nearest.close {}", found.close);
        }
    }
}

/// An object of the scores; with several inputs, an object of such by input.
pub fn print_json(outputs: &[Output]) {
    let of = |output: &Output| -> serde_json::Value {
        let scores = output.scores.iter().map(|score| {
            let mut object = Map::new();
            object.insert("value".to_owned(), json!(score.value.value));
            object.insert("interval".to_owned(), json!(score.value.interval));
            object.insert("n".to_owned(), json!(output.n));
            object.insert("reference".to_owned(), json!(score.reference));
            object.insert("reference_n".to_owned(), json!(score.real));
            for (name, value) in &score.value.with {
                // Counts and keys are whole.
                let whole = value.fract() == 0.0 && value.abs() < 1e15;
                let value = if whole { json!(*value as i64) } else { json!(value) };
                object.insert((*name).to_owned(), value);
            }
            object.extend(score.floor.map(|floor| ("floor".to_owned(), json!(floor))));
            if let Some(nfe) = output.nfe {
                object.extend([("run".to_owned(), json!(output.input)), ("nfe".to_owned(), json!(nfe))]);
            }
            object.extend(output.of.clone());
            object.extend(score.how.clone());
            (score.name.clone(), serde_json::Value::Object(object))
        });
        let nearest = output.nearest.as_ref().map(|nearest| {
            let object = json!({
                "picture": nearest.path.to_string_lossy(), "space": nearest.space, "searched": nearest.searched,
                "samples": nearest.compared.map(|found| found.samples),
                "held_out": nearest.compared.map(|found| found.held_out),
                "close": nearest.compared.map(|found| found.close),
            });
            ("nearest".to_owned(), object)
        });
        serde_json::Value::Object(scores.chain(nearest).collect())
    };
    let key = |output: &Output| match output.nfe {
        Some(nfe) => format!("{}@{nfe}", output.input),
        None => output.input.clone(),
    };
    match outputs {
        [only] => tell!("{:#}", of(only)),
        several => {
            let all: Map<_, _> = several.iter().map(|output| (key(output), of(output))).collect();
            tell!("{:#}", serde_json::Value::Object(all));
        }
    }
}
