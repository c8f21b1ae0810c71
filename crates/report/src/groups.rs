//! Runs that differ in their seed alone, taken together.

use crate::{
    diff::flatten,
    log::{Better, EvalLine},
    run::Run,
    scores::{Column, Scores},
};
use serde_json::{Value, json};
use std::borrow::Cow;

/// Runs of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What they are called together: the name of a run without its seed.
    pub label: String,
    /// Places in the list of runs, by rising seed.
    pub runs: Vec<usize>,
}

/// Mean and sample standard deviation over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// `√(Σ(x − mean)²/(n − 1))`; zero of a single run.
    pub std: f64,
    /// Runs.
    pub n: usize,
}

impl Spread {
    /// Of finite values; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std = if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 };
        (n > 0).then_some(Self { mean, std, n })
    }
}

/// The groups, in the order of their first runs; nothing unless one of them has several runs.
pub fn groups(runs: &[Run]) -> Vec<Group> {
    let mut groups: Vec<(Vec<(String, String)>, Group)> = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let mut keys = flatten(&run.config);
        // A seed of the evaluation is no other configuration either: by default it is that of the run.
        keys.retain(|(key, _)| match key.as_str() {
            "seed" | "eval.seed" => false,
            key if key.starts_with("published.") => false,
            key => !(key.starts_with("variant.") && key.ends_with(".name")),
        });
        match groups.iter_mut().find(|(known, _)| *known == keys && !run.config.is_empty()) {
            Some((_, group)) => group.runs.push(place),
            None => groups.push((keys, Group { label: without_seed(&run.label), runs: vec![place] })),
        }
    }
    for (_, group) in &mut groups {
        group.runs.sort_by_key(|run| seed(&runs[*run]));
    }
    let several = groups.iter().any(|(_, group)| group.runs.len() > 1);
    if several { groups.into_iter().map(|(_, group)| group).collect() } else { Vec::new() }
}

/// The seed of a run, where its configuration says it.
pub fn seed(run: &Run) -> Option<i64> {
    run.config.get("seed").and_then(toml::Value::as_integer)
}

pub fn without_seed(label: &str) -> String {
    let parts = label.split('+').filter(|part| !part.starts_with("seed="));
    parts.collect::<Vec<_>>().join("+")
}

impl Group {
    /// The groups, or each run by itself where there are none.
    pub fn or_each<'a>(groups: &'a [Self], runs: &[Run]) -> Cow<'a, [Self]> {
        let alone = |(place, run): (usize, &Run)| Self { label: run.label.clone(), runs: vec![place] };
        match groups {
            [] => Cow::Owned(runs.iter().enumerate().map(alone).collect()),
            groups => Cow::Borrowed(groups),
        }
    }

    /// The name of its runs without their seeds, also where its label says the experiment too.
    pub fn name(&self, runs: &[Run]) -> String {
        without_seed(&runs[self.runs[0]].variant)
    }

    /// The last values of its runs, of the main average of each.
    pub fn values(&self, runs: &[Run], metric: &str, nfe: u64) -> Vec<f64> {
        self.runs.iter().filter_map(|run| last(&runs[*run], metric, nfe)).map(|line| line.value).collect()
    }
}

/// The last line of a metric at an NFE, of the run's main average.
pub fn last<'a>(run: &'a Run, metric: &str, nfe: u64) -> Option<&'a EvalLine> {
    let ema = run.main_ema();
    run.evals.iter().rfind(|line| Some(line.ema.as_str()) == ema && line.metric == metric && line.nfe == nfe)
}

/// What can be said in words of the best mean of a metric at its least NFE: in how many pairs of equal seeds it is lower than each
/// other group.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The metric.
    pub metric: String,
    /// The least NFE at which groups can be compared.
    pub nfe: u64,
    /// The group with the lowest mean.
    pub best: usize,
    /// Of each other group: its place, seeds in which the best is lower, seeds that both have.
    pub against: Vec<(usize, usize, usize)>,
}

/// One verdict a metric, where at least two groups have scores against the same reference.
pub fn verdicts(runs: &[Run], groups: &[Group], scores: &Scores) -> Vec<Verdict> {
    scores.metrics().iter().filter_map(|metric| verdict(runs, groups, scores, metric)).collect()
}

fn verdict(runs: &[Run], groups: &[Group], scores: &Scores, metric: &str) -> Option<Verdict> {
    // Its words are of distances.
    if scores.better(metric) != Better::Lower {
        return None;
    }
    let nfe =
        scores.columns.iter().filter(|column| column.metric == metric).map(|column| column.nfe).min()?;
    let mean = |group: &Group| Spread::of(&group.values(runs, metric, nfe)).map(|spread| spread.mean);
    let means: Vec<(usize, f64)> =
        groups.iter().enumerate().filter_map(|(place, group)| Some((place, mean(group)?))).collect();
    let (best, _) = *means.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let of_seed = |group: &Group, wanted: Option<i64>| {
        let run = group.runs.iter().find(|run| seed(&runs[**run]) == wanted)?;
        last(&runs[*run], metric, nfe).filter(|line| line.value.is_finite())
    };
    let against = means.iter().filter(|(place, _)| *place != best).map(|(place, _)| {
        let pairs = groups[best].runs.iter().filter_map(|run| {
            let seed = seed(&runs[*run]);
            let (ours, theirs) = (of_seed(&groups[best], seed)?, of_seed(&groups[*place], seed)?);
            ours.compares_with(theirs).then_some(ours.value < theirs.value)
        });
        let pairs: Vec<bool> = pairs.collect();
        (*place, pairs.iter().filter(|lower| **lower).count(), pairs.len())
    });
    let against: Vec<_> = against.filter(|(_, _, pairs)| *pairs > 0).collect();
    (!against.is_empty()).then(|| Verdict { metric: metric.to_owned(), nfe, best, against })
}

/// The groups for programs: mean, standard deviation and number of runs of every column.
pub fn json(runs: &[Run], groups: &[Group], scores: &Scores) -> Value {
    let of = |group: &Group| {
        let column = |column: &Column| {
            let spread = Spread::of(&group.values(runs, &column.metric, column.nfe))?;
            let Spread { mean, std, n } = spread;
            Some(json!({ "metric": column.metric, "nfe": column.nfe, "mean": mean, "std": std, "n": n }))
        };
        let names: Vec<&str> = group.runs.iter().map(|run| runs[*run].variant.as_str()).collect();
        let scores: Vec<Value> = scores.columns.iter().filter_map(column).collect();
        json!({ "label": group.label, "runs": names, "scores": scores })
    };
    Value::Array(groups.iter().map(of).collect())
}
