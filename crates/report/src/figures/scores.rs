//! Scores over images seen, and against the number of evaluations.

use super::{Figure, entries, union, weights};
use crate::{
    axis::{Axis, Scale},
    chart::{Panel, Series, figure},
    log::EvalLine,
    run::Run,
    scores::Scores,
    style::{short, variant_color, variant_dashed},
    thin::thin,
};

/// Dots of a curve; more would hide each other.
const DOTS: usize = 200;

/// Evaluations of the main EMA of a run, of one metric.
fn lines<'a>(run: &'a Run, metric: &'a str) -> impl Iterator<Item = &'a EvalLine> {
    let ema = run.main_ema();
    run.evals.iter().filter(move |line| Some(line.ema.as_str()) == ema && line.metric == metric)
}

/// A logarithmic axis where the values span more than a factor of four, as far as they are positive. The floor is on it
/// unless that would press the values together.
pub(super) fn score_axis(mut values: Vec<f64>, rules: &[(f64, String)]) -> Axis {
    values.retain(|value| value.is_finite());
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    values.extend(rules.iter().map(|rule| rule.0).filter(|floor| *floor > 0.25 * least));
    let finite = || values.iter().copied();
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if low > 0.0 && high > 4.0 * low {
        Axis::holding(finite(), Scale::Log, 0.08)
    } else {
        Axis::holding(finite().chain([0.0]), Scale::Linear, 0.06)
    }
}

fn rules(scores: &Scores, metric: &str) -> Vec<(f64, String)> {
    let floor = scores.floor(metric).filter(|floor| floor.is_finite());
    floor.map(|floor| (floor, format!("data against data {}", short(floor)))).into_iter().collect()
}

/// The last score of every run against NFE, one panel a metric; nothing where there is no evaluation.
pub fn score_against_nfe(runs: &[Run], scores: &Scores) -> Option<Figure> {
    let panels: Vec<Panel> = scores
        .metrics()
        .iter()
        .map(|metric| {
            let nfes = union([lines_of(runs, metric).map(|line| line.nfe).collect()]);
            let series: Vec<Series> = runs
                .iter()
                .enumerate()
                .map(|(place, run)| {
                    let last = |nfe: &u64| lines(run, metric).filter(|line| line.nfe == *nfe).last();
                    let points =
                        nfes.iter().filter_map(last).map(|line| (line.nfe as f64, line.value)).collect();
                    Series {
                        color: variant_color(place),
                        dashed: variant_dashed(place),
                        points,
                        raw: Vec::new(),
                        band: Vec::new(),
                        dots: true,
                    }
                })
                .collect();
            let rules = rules(scores, metric);
            let values: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|point| point.1).collect();
            Panel {
                title: format!("{metric} ({})", scores.better(metric).words()),
                x_label: "network evaluations per sample (NFE)".to_owned(),
                x: Axis::holding(nfes.iter().map(|nfe| *nfe as f64), Scale::Log, 0.06).with_ticks(nfes),
                y: score_axis(values, &rules),
                series,
                rules,
            }
        })
        .collect();
    (!panels.is_empty()).then(|| Figure {
        name: "score-nfe",
        title: "Score against evaluations",
        caption: format!(
            "Last score of every variant against the number of network evaluations. {}",
            weights(runs)
        ),
        canvas: figure(&panels, 2, 274.0, &entries(runs)),
    })
}

/// Scores over images seen, one panel for each metric and NFE; nothing where no run was evaluated.
pub fn score_curves(runs: &[Run], scores: &Scores) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut columns = 2;
    for metric in scores.metrics() {
        let rules = rules(scores, &metric);
        let values: Vec<f64> = lines_of(runs, &metric).map(|line| line.value).collect();
        // One range for all panels of a metric, so that they can be compared by eye.
        let y = score_axis(values, &rules);
        let nfes = union([lines_of(runs, &metric).map(|line| line.nfe).collect()]);
        columns = columns.max(nfes.len());
        for nfe in nfes {
            let series: Vec<Series> = runs
                .iter()
                .enumerate()
                .map(|(place, run)| Series {
                    color: variant_color(place),
                    dashed: variant_dashed(place),
                    points: thin(
                        lines(run, &metric)
                            .filter(|line| line.nfe == nfe)
                            .map(|line| (line.images, line.value))
                            .collect(),
                        DOTS,
                    ),
                    raw: Vec::new(),
                    band: Vec::new(),
                    dots: true,
                })
                .collect();
            let images = lines_of(runs, &metric).map(|line| line.images).chain([0.0]);
            panels.push(Panel {
                title: format!("{metric}, {nfe} NFE"),
                x_label: "images seen".to_owned(),
                x: Axis::holding(images, Scale::Linear, 0.03).with_counts(),
                y: y.clone(),
                series,
                rules: rules.clone(),
            });
        }
    }
    (!panels.is_empty()).then(|| Figure {
        name: "score-images",
        title: "Score over training",
        caption: format!("Score over images seen, by number of evaluations. {}", weights(runs)),
        canvas: figure(&panels, columns.min(4), 220.0, &entries(runs)),
    })
}

fn lines_of<'a>(runs: &'a [Run], metric: &'a str) -> impl Iterator<Item = &'a EvalLine> {
    runs.iter().flat_map(move |run| lines(run, metric))
}
