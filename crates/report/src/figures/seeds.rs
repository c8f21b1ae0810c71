//! Means over seeds with their spread, against evaluations and over images seen.

use super::{Figure, scores::score_axis, union};
use crate::{
    axis::{Axis, Scale},
    chart::{Panel, Series, figure},
    groups::{Group, Spread, last},
    log::EvalLine,
    run::Run,
    scores::Scores,
    style::{Color, variant_color, variant_dashed},
    thin::{MOST, places},
};
use std::collections::HashMap;

/// Colours of groups, for legends.
pub(super) fn entries(groups: &[Group]) -> Vec<(String, Color, bool)> {
    let of = |(place, group): (usize, &Group)| {
        let label = format!("{} ({} seeds)", group.label, group.runs.len());
        (label, variant_color(place), variant_dashed(place))
    };
    groups.iter().enumerate().map(of).collect()
}

/// A line through the means, with a mark from one standard deviation below to one above.
pub(super) fn series(place: usize, spreads: &[(f64, Spread)], dots: bool) -> Series {
    Series {
        color: variant_color(place),
        dashed: variant_dashed(place),
        points: spreads.iter().map(|(x, spread)| (*x, spread.mean)).collect(),
        raw: Vec::new(),
        band: spreads.iter().map(|(x, s)| (*x, s.mean - s.std, s.mean + s.std)).collect(),
        dots,
    }
}

fn axis(series: &[Series]) -> Axis {
    let ends = series.iter().flat_map(|series| &series.band).flat_map(|(_, low, high)| [*low, *high]);
    score_axis(ends.collect(), &[])
}

const SPREAD: &str =
    "Marks and bands reach from one standard deviation over seeds below the mean to one above.";

/// Mean score against NFE; nothing without groups.
pub fn seeds_against_nfe(runs: &[Run], groups: &[Group], scores: &Scores) -> Option<Figure> {
    let panel = |metric: &String| {
        let of = |group: &Group| group.runs.iter().flat_map(|run| &runs[*run].evals).collect::<Vec<_>>();
        let lines = groups.iter().flat_map(of).filter(|line| line.metric == *metric);
        let nfes = union([lines.map(|line| line.nfe).collect()]);
        let spreads = |group: &Group| -> Vec<(f64, Spread)> {
            let at = |nfe: &u64| Some((*nfe as f64, Spread::of(&group.values(runs, metric, *nfe))?));
            nfes.iter().filter_map(at).collect()
        };
        let series: Vec<Series> =
            groups.iter().enumerate().map(|(place, group)| series(place, &spreads(group), true)).collect();
        Panel {
            title: format!("{metric} ({})", scores.better(metric).words()),
            x_label: "network evaluations per sample (NFE)".to_owned(),
            x: Axis::holding(nfes.iter().map(|nfe| *nfe as f64), Scale::Log, 0.06).with_ticks(nfes),
            y: axis(&series),
            series,
            rules: Vec::new(),
        }
    };
    let panels: Vec<Panel> = scores.metrics().iter().map(panel).collect();
    (!groups.is_empty() && !panels.is_empty()).then(|| Figure {
        name: "seeds-nfe",
        title: "Score over seeds",
        caption: format!(
            "Mean of the last scores of all seeds against the number of network evaluations. {SPREAD}"
        ),
        canvas: figure(&panels, 2, 274.0, &entries(groups)),
    })
}

/// Mean score over images seen, one panel for each metric at its least NFE; nothing without groups.
pub fn seeds_over_images(runs: &[Run], groups: &[Group], scores: &Scores) -> Option<Figure> {
    let panel = |metric: &String| {
        let nfe = scores.columns.iter().filter(|c| c.metric == *metric).map(|c| c.nfe).min()?;
        let series: Vec<Series> = groups
            .iter()
            .enumerate()
            .map(|(place, group)| {
                series(place, &over_training(runs, group, metric, nfe, |_, line| Some(line.images)), false)
            })
            .collect();
        let images = series.iter().flat_map(|s| &s.points).map(|point| point.0).chain([0.0]);
        Some(Panel {
            title: format!("{metric}, {nfe} NFE"),
            x_label: "images seen".to_owned(),
            x: Axis::holding(images, Scale::Linear, 0.03).with_counts(),
            y: axis(&series),
            series,
            rules: Vec::new(),
        })
    };
    let panels: Vec<Panel> = scores.metrics().iter().filter_map(panel).collect();
    (!groups.is_empty() && !panels.is_empty()).then(|| Figure {
        name: "seeds-images",
        title: "Score over training, all seeds",
        caption: format!(
            "Mean score of all seeds over images seen, at the least number of evaluations. {SPREAD}"
        ),
        canvas: figure(&panels, 2, 240.0, &entries(groups)),
    })
}

/// What was `spent` by every step that all runs of the group have scored, the mean over them, and the spread of the scores.
pub(super) fn over_training(
    runs: &[Run],
    group: &Group,
    metric: &str,
    nfe: u64,
    spent: fn(&Run, &EvalLine) -> Option<f64>,
) -> Vec<(f64, Spread)> {
    // Of each run what it scored at every step, the last time that it did.
    let of_run = |place: &usize| {
        let (run, ema) = (&runs[*place], runs[*place].main_ema());
        let lines = run
            .evals
            .iter()
            .filter(|line| Some(line.ema.as_str()) == ema && line.metric == metric && line.nfe == nfe);
        (run, lines.map(|line| (line.step, line)).collect::<HashMap<u64, &EvalLine>>())
    };
    let known: Vec<(&Run, HashMap<u64, &EvalLine>)> = group.runs.iter().map(of_run).collect();
    let first = &runs[group.runs[0]];
    let mut steps: Vec<u64> = first.evals.iter().map(|line| line.step).collect();
    steps.dedup();
    let last_step = last(first, metric, nfe).map(|line| line.step);
    let mut spreads = Vec::new();
    steps.retain(|step| Some(*step) <= last_step);
    for step in places(steps.len(), MOST).into_iter().map(|place| steps[place]) {
        let at = |(run, lines): &(&Run, HashMap<u64, &EvalLine>)| {
            let line = lines.get(&step)?;
            Some((spent(run, line)?, line.value))
        };
        let (spent, values): (Vec<f64>, Vec<f64>) = known.iter().filter_map(at).unzip();
        if values.len() == group.runs.len() {
            let mean = spent.iter().sum::<f64>() / spent.len() as f64;
            spreads.extend(Spread::of(&values).map(|spread| (mean, spread)));
        }
    }
    spreads
}
