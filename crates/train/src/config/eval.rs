//! `[eval]`: how a run is scored on the way and at its end.

use super::{
    problem::{Problem, Where},
    reader::Reader,
    scalar::{Choice, Length, List, Steps, Within},
    training::TrainConfig,
};
use meanflow_core::{objective::ObjectiveConfig, solver::Solver};
use meanflow_data::Description;
use meanflow_metrics::Metric;

/// `[eval]`.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalConfig {
    /// Steps between evaluations; there is always one at the end.
    pub every: u64,
    /// Samples that a score is computed from.
    pub samples: usize,
    /// Numbers of network evaluations to sample with.
    pub nfe: Vec<usize>,
    /// How samples are drawn.
    pub solver: Solver,
    /// What is computed.
    pub metrics: Vec<Metric>,
    /// Images in a sample grid.
    pub grid: usize,
}

impl EvalConfig {
    /// Reads the table; what could not be read of the rest (`None`) is not compared with.
    pub(super) fn read(
        root: &mut Reader,
        train: &TrainConfig,
        items: Option<usize>,
        data: Option<&Description>,
        objective: Option<&ObjectiveConfig>,
    ) -> Self {
        root.section("eval", |r| {
            let every = r
                .get("every", Steps { batch: train.batch, items, least: 1 }, Length::steps(train.steps))
                .steps;
            let samples = r.get("samples", Within(2, 1 << 24), 2000);
            let solver = solver(r, objective);
            let per_step = solver.evaluations_per_step();
            let nfe =
                r.get("nfe", List(Within(1, 1 << 16)), [1, 2, 4].map(|steps| steps * per_step).to_vec());
            if let Some(odd) = nfe.iter().find(|nfe| !nfe.is_multiple_of(per_step)) {
                let message = format!(
                    "`{}`: {odd} is not a multiple of {per_step}, the evaluations that a step of `{}` costs",
                    r.path("nfe"),
                    solver.name()
                );
                r.problem(Problem::new(r.at("nfe"), message));
            }
            let metrics = metrics(r, data);
            let grid = r.get("grid", Within(1, 4096), 64);
            Self { every, samples, nfe, solver, metrics, grid }
        })
    }
}

fn solver(r: &mut Reader, objective: Option<&ObjectiveConfig>) -> Solver {
    let names = Choice(Solver::ALL.into_iter().map(|solver| (solver.name(), solver)).collect());
    let average = !matches!(objective, Some(ObjectiveConfig::FlowMatching(_)));
    let default = if average { Solver::MeanFlow } else { Solver::Euler };
    let solver = r.get("solver", names, default);
    if solver == Solver::MeanFlow && !average {
        let message = format!(
            "`{}`: `meanflow` steps by average velocities, which `flow-matching` does not learn",
            r.path("solver")
        );
        let help = "use one of `euler`, `heun`, `midpoint`, `rk4`";
        r.problem(Problem::new(r.at("solver"), message).help(help));
    }
    solver
}

fn metrics(r: &mut Reader, data: Option<&Description>) -> Vec<Metric> {
    let applies = |metric: &Metric| data.is_none_or(|data| metric.applies_to(data.shape));
    let default: Vec<Metric> = Metric::ALL.into_iter().filter(applies).collect();
    let names = Choice(Metric::ALL.into_iter().map(|metric| (metric.name(), metric)).collect());
    let metrics = r.get("metrics", List(names), default.clone());
    if let Some(data) = data {
        for metric in metrics.iter().filter(|metric| !applies(metric)) {
            let [c, h, w] = data.shape;
            let message = format!(
                "`{}`: `{}` does not apply to samples of {c}×{h}×{w}",
                r.path("metrics"),
                metric.name()
            );
            let names: Vec<String> = default.iter().map(|metric| format!("`{}`", metric.name())).collect();
            let place: Where = r.at("metrics");
            r.problem(Problem::new(place, message).help(format!("use {}", names.join(", "))));
        }
    }
    metrics
}
