//! The first thing a reader wants to know: who is best with the fewest evaluations, and by how much.

use crate::{
    groups::{Group, Spread},
    log::EvalLine,
    run::Run,
    scores::Scores,
    style,
};

/// The winner of a metric at the least NFE, with its competitors.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// Name of the metric.
    pub metric: String,
    /// Place of the winner, which gives its colour: a run, or a group where there are groups.
    pub place: usize,
    /// What the winner is called.
    pub label: String,
    /// Its value.
    pub value: f64,
    /// The least NFE.
    pub nfe: u64,
    /// Comparisons, each a half-sentence such as `0.48× flow-matching at 1 NFE (63.2)`.
    pub against: Vec<String>,
}

/// Others that a headline names, at most.
const OTHERS: usize = 3;

/// One headline a metric, where at least one run has a finite value at the metric's least NFE. Of groups, the means.
pub fn headlines(runs: &[Run], groups: &[Group], scores: &Scores) -> Vec<Headline> {
    scores.metrics().iter().filter_map(|metric| headline(runs, groups, scores, metric)).collect()
}

fn headline(runs: &[Run], groups: &[Group], scores: &Scores, metric: &str) -> Option<Headline> {
    // (run, nfe, value) of the main EMA of every run.
    let lines: Vec<(usize, &EvalLine)> = scores
        .rows
        .iter()
        .filter(|row| Some(row.ema.as_str()) == runs[row.run].main_ema())
        .flat_map(|row| row.cells.iter().flatten().map(|cell| (row.run, &cell.line)))
        .filter(|(_, line)| line.metric == metric && line.value.is_finite())
        .collect();
    // Numbers of different references have no winner, and neither have those of which none is better.
    if !lines.windows(2).all(|pair| pair[0].1.compares_with(pair[1].1)) {
        return None;
    }
    let better = scores.better(metric);
    // (place, nfe, value) of every run, or of every group.
    let values: Vec<(usize, u64, f64)> = if groups.is_empty() {
        lines.iter().map(|(run, line)| (*run, line.nfe, line.value)).collect()
    } else {
        let nfes = scores.columns.iter().filter(|column| column.metric == metric).map(|column| column.nfe);
        let of = |nfe: u64| {
            let mean =
                move |group: &Group| Spread::of(&group.values(runs, metric, nfe)).map(|spread| spread.mean);
            groups.iter().enumerate().filter_map(move |(place, group)| Some((place, nfe, mean(group)?)))
        };
        nfes.flat_map(of).collect()
    };
    let labels: Vec<&String> = match groups {
        [] => runs.iter().map(|run| &run.label).collect(),
        groups => groups.iter().map(|group| &group.label).collect(),
    };
    let nfe = values.iter().map(|(_, nfe, _)| *nfe).min()?;
    let least = |wanted: &dyn Fn(&(usize, u64, f64)) -> bool| {
        let best = better.best(values.iter().filter(|entry| wanted(entry)).map(|entry| entry.2))?;
        values.iter().find(|entry| wanted(entry) && entry.2 == best)
    };
    let (place, _, value) = *least(&|entry| entry.1 == nfe)?;
    let say = |other: usize, at: u64, theirs: f64| {
        let ratio = style::fixed(value / theirs, 2);
        format!("{ratio}× {} at {at} NFE ({})", labels[other], style::short(theirs))
    };
    let mut against = Vec::new();
    for other in (0..labels.len()).filter(|other| *other != place).take(OTHERS) {
        if let Some((_, at, theirs)) = least(&|entry| entry.0 == other && entry.1 == nfe) {
            against.push(say(other, *at, *theirs));
        }
        // Its best with more evaluations is the bar that a one-step model is measured by.
        if let Some((_, at, theirs)) = least(&|entry| entry.0 == other && entry.1 > nfe) {
            against.push(say(other, *at, *theirs));
        }
    }
    if let Some(floor) = scores.floor(metric).filter(|floor| *floor > 0.0) {
        let ratio = style::short(value / floor);
        against.push(format!("{ratio}× data against data ({})", style::short(floor)));
    }
    Some(Headline { metric: metric.to_owned(), place, label: labels[place].clone(), value, nfe, against })
}
