//! Scores at equal images, equal operations and equal time.

use super::{
    Figure, entries,
    scores::{DOTS, score_axis},
};
use crate::{
    axis::{Axis, Scale},
    chart::{Panel, Series, figure},
    groups::Group,
    log::EvalLine,
    run::Run,
    scores::Scores,
    style::{Color, variant_color, variant_dashed},
    thin::thin,
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
    let each: Vec<Group>;
    let shown = match groups {
        [] => {
            each = Group::each(runs);
            &each
        }
        groups => groups,
    };
    let mut panels = Vec::new();
    for metric in scores.metrics().iter().take(METRICS) {
        let Some(nfe) = scores.columns.iter().filter(|c| c.metric == *metric).map(|c| c.nfe).min() else {
            continue;
        };
        for budget in BUDGETS {
            panels.extend(panel(runs, shown, (metric, nfe), budget));
        }
    }
    let labels: Vec<(String, Color, bool)> = match groups {
        [] => entries(runs),
        groups => super::seeds::entries(groups),
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
    let series: Vec<Series> = groups
        .iter()
        .enumerate()
        .map(|(place, group)| Series {
            color: variant_color(place),
            dashed: variant_dashed(place),
            points: means(runs, group, metric, nfe, spent),
            raw: Vec::new(),
            band: Vec::new(),
            dots: true,
        })
        .collect();
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

/// Spent and score at every step that all runs of the group have scored, the means of both.
fn means(
    runs: &[Run],
    group: &Group,
    metric: &str,
    nfe: u64,
    spent: fn(&Run, &EvalLine) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let of = |run: &Run| -> Vec<(u64, f64, f64)> {
        let ema = run.main_ema();
        let lines = run.evals.iter().filter(|line| {
            Some(line.ema.as_str()) == ema
                && line.metric == metric
                && line.nfe == nfe
                && line.value.is_finite()
        });
        lines.filter_map(|line| Some((line.step, spent(run, line)?, line.value))).collect()
    };
    let all: Vec<Vec<(u64, f64, f64)>> = group.runs.iter().map(|run| of(&runs[*run])).collect();
    let mean = |(step, ..): &(u64, f64, f64)| {
        let at: Vec<_> = all.iter().filter_map(|run| run.iter().rfind(|point| point.0 == *step)).collect();
        let n = at.len() as f64;
        (at.len() == all.len()).then(|| {
            (at.iter().map(|point| point.1).sum::<f64>() / n, at.iter().map(|point| point.2).sum::<f64>() / n)
        })
    };
    thin(all[0].iter().filter_map(mean).collect(), DOTS)
}
