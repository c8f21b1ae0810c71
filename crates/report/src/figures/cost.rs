//! Scores at equal images, equal operations and equal time.

use super::{
    Figure, entries,
    scores::score_axis,
    seeds::{self, over_training, series},
};
use crate::{
    axis::{Axis, Scale},
    chart::{Panel, Series, figure},
    groups::Group,
    log::EvalLine,
    run::Run,
    scores::Scores,
    style::Color,
};

/// What a run has spent by an evaluation: its name on the axis, and how much.
type Budget = (&'static str, fn(&Run, &EvalLine) -> Option<f64>);

const BUDGETS: [Budget; 3] = [
    ("images seen", |_, line| Some(line.images)),
    ("floating-point operations of training", |run, line| Some(run.flops_an_image()? * line.images)),
    ("seconds of training", |run, line| run.secs_at(line.step)),
];

/// Metrics that the figure has panels of, at most.
const METRICS: usize = 2;

/// A panel for each of the first metrics and each budget, at the least number of evaluations; of groups, the means. Nothing where no
/// log tells time or operations.
pub fn score_at_cost(runs: &[Run], groups: &[Group], scores: &Scores) -> Option<Figure> {
    let shown = Group::or_each(groups, runs);
    let mut panels = Vec::new();
    for metric in scores.metrics().iter().take(METRICS) {
        let Some(nfe) = scores.columns.iter().filter(|c| c.metric == *metric).map(|c| c.nfe).min() else {
            continue;
        };
        for budget in BUDGETS {
            panels.extend(panel(runs, &shown, (metric, nfe), budget));
        }
    }
    let labels: Vec<(String, Color, bool)> = match groups {
        [] => entries(runs),
        groups => seeds::entries(groups),
    };
    // Images alone are in a figure of their own.
    let more = panels.len() > scores.metrics().len().min(METRICS);
    more.then(|| Figure {
        name: "cost",
        title: "Score at equal cost",
        caption: "The same scores at the least number of evaluations over what was spent by then: images seen, operations (products of \
                  matrices and convolutions, backward as twice forward; guidance in the target and a second head are not counted) and \
                  seconds on the clock, without evaluation. The clock is that of the machine and of what else it did. What a run that \
                  starts from another cost before is not in it."
            .to_owned(),
        canvas: figure(&panels, BUDGETS.len(), 240.0, &labels),
    })
}

fn panel(
    runs: &[Run],
    groups: &[Group],
    (metric, nfe): (&str, u64),
    (label, spent): Budget,
) -> Option<Panel> {
    let mean = |(place, group): (usize, &Group)| {
        let spreads = over_training(runs, group, metric, nfe, spent);
        Series { band: Vec::new(), ..series(place, &spreads, true) }
    };
    let series: Vec<Series> = groups.iter().enumerate().map(mean).collect();
    let all = || series.iter().flat_map(|series| &series.points);
    all().next()?;
    Some(Panel {
        title: format!("{metric}, {nfe} NFE"),
        x_label: label.to_owned(),
        x: Axis::holding(all().map(|point| point.0).chain([0.0]), Scale::Linear, 0.03).with_counts(),
        y: score_axis(all().map(|point| point.1).collect(), &[]),
        series,
        rules: Vec::new(),
    })
}
