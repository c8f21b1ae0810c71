//! `metrics.jsonl`: one JSON object a line, the last line possibly torn.

use serde_json::Value;

use crate::bounds::{cut, is_name};

/// A training line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainLine {
    /// Updates made.
    pub step: f64,
    /// Images seen.
    pub images: f64,
    /// Training time so far, seconds.
    pub secs: Option<f64>,
    /// What was measured, by name: `loss`, what the objective measures, `grad_norm`.
    pub measures: Vec<(String, f64)>,
}

impl TrainLine {
    /// The measure of this name, if the line has it.
    pub fn measure(&self, name: &str) -> Option<f64> {
        self.measures.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// Measures of a line; others are passed over.
const MEASURES: usize = 64;

/// Keys of a training line that are no measures.
const OTHERS: [&str; 5] = ["kind", "step", "images", "secs", "lr"];

/// An evaluation line.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalLine {
    /// Updates made.
    pub step: u64,
    /// Images seen.
    pub images: f64,
    /// Label of the EMA, `none` for the raw weights.
    pub ema: String,
    /// Name of the solver.
    pub solver: String,
    /// Evaluations of the network per sample.
    pub nfe: u64,
    /// Name of the metric.
    pub metric: String,
    /// Its value; NaN where the log holds no number, which a score that failed has not.
    pub value: f64,
    /// Samples scored.
    pub n: Option<u64>,
    /// What they were scored against, in words.
    pub reference: Option<String>,
    /// Digest of the data set.
    pub digest: Option<String>,
    /// Which values are better.
    pub better: Better,
    /// Data against data at the same n.
    pub floor: Option<f64>,
    /// What the metric is, in sentences, where the log says it.
    pub about: Option<String>,
    /// Why the score could not be computed, if it could not.
    pub failed: Option<String>,
}

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Better {
    /// Lower ones; also where a log of an older version does not say.
    #[default]
    Lower,
    /// Higher ones.
    Higher,
    /// Neither.
    Neither,
}

impl Better {
    pub(crate) fn of(line: &Value) -> Self {
        match line["better"].as_str() {
            Some("higher") => Self::Higher,
            Some("neither") => Self::Neither,
            _ => Self::Lower,
        }
    }

    /// The best of some values, where there is such a thing.
    pub fn best(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let values = values.filter(|value| value.is_finite());
        match self {
            Self::Lower => values.min_by(f64::total_cmp),
            Self::Higher => values.max_by(f64::total_cmp),
            Self::Neither => None,
        }
    }

    /// Beside the name of a metric.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::Lower => " ↓",
            Self::Higher => " ↑",
            Self::Neither => "",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Lower => "lower is better",
            Self::Higher => "higher is better",
            Self::Neither => "neither low nor high is better",
        }
    }
}

impl EvalLine {
    /// Whether the two were scored against the same real data with as many samples, so that one can be better.
    pub fn compares_with(&self, other: &Self) -> bool {
        self.digest == other.digest && self.reference == other.reference && self.n == other.n
    }
}

/// What a log says, and the lines that could not be read.
#[derive(Clone, Debug, Default)]
pub struct RunLog {
    /// Training lines, in order.
    pub train: Vec<TrainLine>,
    /// Evaluation lines, in order.
    pub evals: Vec<EvalLine>,
    /// Numbers (from 1) of unreadable lines, a torn last line excepted.
    pub bad_lines: Vec<usize>,
}

/// Reads a log. Lines of a kind that is not known are skipped, so that newer logs can be read.
pub fn parse(text: &str) -> RunLog {
    let mut log = RunLog::default();
    let whole = text.ends_with('\n');
    let count = text.lines().count();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let value: Option<Value> = serde_json::from_str(line).ok();
        let read = value.as_ref().and_then(|value| match value["kind"].as_str()? {
            "train" => train(value).map(|line| log.train.push(line)),
            "eval" | "score-failed" => eval(value).map(|line| log.evals.push(line)),
            _ => Some(()),
        });
        let torn = index + 1 == count && !whole;
        if read.is_none() && !torn {
            log.bad_lines.push(index + 1);
        }
    }
    log
}

fn train(value: &Value) -> Option<TrainLine> {
    let field = |name: &str| number(&value[name]);
    Some(TrainLine {
        step: field("step")?,
        images: field("images")?,
        secs: field("secs"),
        measures: value
            .as_object()?
            .iter()
            .filter(|(name, _)| !OTHERS.contains(&name.as_str()) && is_name(name))
            .take(MEASURES)
            .filter_map(|(name, value)| Some((name.clone(), number(value)?)))
            .collect(),
    })
}

fn eval(value: &Value) -> Option<EvalLine> {
    let text = |name: &str| value[name].as_str().map(cut);
    let name = |name: &str| text(name).filter(|text| is_name(text));
    Some(EvalLine {
        step: value["step"].as_u64()?,
        images: number(&value["images"])?,
        ema: name("ema").unwrap_or_else(|| "none".to_owned()),
        solver: name("solver").unwrap_or_default(),
        nfe: value["nfe"].as_u64()?,
        metric: name("metric")?,
        value: number(&value["value"]).unwrap_or(f64::NAN),
        n: value["n"].as_u64(),
        reference: text("reference"),
        digest: text("digest"),
        better: Better::of(value),
        about: text("about"),
        floor: number(&value["floor"]),
        failed: (value["kind"] == "score-failed").then(|| text("error").unwrap_or_default()),
    })
}

/// A number, or its spelling where JSON has none ("nan", "inf").
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds_and_forgives_a_torn_end() {
        let log = parse(concat!(
            r#"{"kind":"train","step":100,"images":6400,"secs":12.5,"loss":0.98,"raw":412.3,"v":405.1,"dudt":null,"grad_norm":"nan","lr":0.001}"#,
            "\n{broken}\n",
            r#"{"kind":"eval","step":900,"images":57600,"ema":"0.999","solver":"meanflow","nfe":1,"metric":"w2","value":0.2,"n":2000,"reference":"r","floor":null}"#,
            "\n",
            r#"{"kind":"score-failed","step":900,"images":57600,"ema":"0.999","solver":"meanflow","nfe":2,"metric":"w2","error":"no"}"#,
            "\n",
            r#"{"kind":"note","text":"of a later version"}"#,
            "\n",
            r#"{"kind":"train","step":200,"ima"#,
        ));
        assert_eq!(log.bad_lines, [2]);
        assert_eq!(log.train.len(), 1);
        let line = &log.train[0];
        assert_eq!((line.step, line.measure("raw"), line.measure("dudt")), (100.0, Some(412.3), None));
        assert!(line.measure("grad_norm").is_some_and(f64::is_nan));
        assert_eq!(log.evals.len(), 2);
        assert!(log.evals[1].value.is_nan() && log.evals[1].failed.as_deref() == Some("no"));
        assert_eq!((log.evals[0].nfe, log.evals[0].floor, log.evals[0].n), (1, None, Some(2000)));
    }
}
