//! `[eval]`: how a run is scored on the way and at its end.

use crate::sampling::SampleGuidance;
use meanflow_core::{
    objective::{Learns, Objectives, interval},
    solver::{Solver, Spacing},
};
use meanflow_data::{DataConfig, Description};
use meanflow_metrics::Metric;
use meanflow_settings::{
    Choice, Length, List, Node, Number, PathTo, Problem, Reader, Scalar, Steps, Value, Where, Within, Wrong,
    quote,
};
use std::path::PathBuf;

/// Samples that a score is computed from, unless the file says otherwise.
const SAMPLES: usize = 2000;

/// What evaluations depend on of the training.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// Samples of a step.
    pub batch: usize,
    /// Steps.
    pub steps: u64,
}

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
    /// The times at which the field is evaluated.
    pub times: Spacing,
    /// Key of noise and choices of the evaluation.
    pub seed: u64,
    /// Guidance of samples: an input of a network that takes it, classifier-free otherwise.
    pub guidance: Option<SampleGuidance>,
    /// What is computed.
    pub metrics: Vec<Metric>,
    /// Images in a sample grid.
    pub grid: usize,
    /// Weights for `fd_efflite0` at the end.
    pub efflite0: Lite0,
}

/// Where the weights of EfficientNet-Lite0 are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Lite0 {
    /// Where `meanflow data fetch` puts them below the current folder, if they are there.
    #[default]
    Auto,
    /// Nowhere: no such score.
    Off,
    /// In this file.
    File(PathBuf),
}

/// `"auto"`, `"off"` or a path.
struct Lite0File;

impl Scalar for Lite0File {
    type Out = Lite0;

    fn expected(&self) -> String {
        "a path, \"auto\" or \"off\"".to_owned()
    }

    fn read(&self, node: &Node) -> Result<Lite0, Wrong> {
        match &node.value {
            Value::String(word) if word == "auto" => Ok(Lite0::Auto),
            Value::String(word) if word == "off" => Ok(Lite0::Off),
            _ => PathTo.read(node).map(Lite0::File),
        }
    }

    fn show(&self, value: &Lite0) -> String {
        match value {
            Lite0::Auto => quote("auto"),
            Lite0::Off => quote("off"),
            Lite0::File(path) => PathTo.show(path),
        }
    }

    fn blank(&self) -> Lite0 {
        Lite0::Auto
    }

    fn is_path(&self) -> bool {
        true
    }
}

impl EvalConfig {
    /// Reads the table; what could not be read of the rest (`None`) is not compared with.
    pub fn read(
        root: &mut Reader,
        seed: u64,
        training: Training,
        items: Option<usize>,
        data: Option<(&DataConfig, &Description)>,
        objective: Option<&impl Objectives>,
        known: &[Metric],
    ) -> Self {
        root.section("eval", |r| {
            let every = r
                .get("every", Steps { batch: training.batch, items, least: 1 }, Length::steps(training.steps))
                .steps;
            // Scores of points need as many real ones.
            let real = data.and_then(|(data, _)| data.points_to_compare_with());
            let samples = r.get("samples", Within(2, 1 << 24), real.unwrap_or(SAMPLES).clamp(2, SAMPLES));
            let solver = solver(r, objective);
            let per_step = solver.evaluations_per_step();
            let nfe = r.get(
                "nfe",
                List { of: Within(1, 1 << 16), empty: false },
                [1, 2, 4].map(|steps| steps * per_step).to_vec(),
            );
            if let Some(odd) = nfe.iter().find(|nfe| !nfe.is_multiple_of(per_step)) {
                let message = format!(
                    "`{}`: {odd} is not a multiple of {per_step}, the evaluations that a step of `{}` costs",
                    r.path("nfe"),
                    solver.name()
                );
                r.problem(Problem::new(r.at("nfe"), message));
            }
            let times = Spacing::read(r, "times");
            if let Some(steps) = times.steps()
                && let Some(other) = nfe.iter().find(|nfe| **nfe != steps * per_step)
            {
                let message = format!(
                    "`{}` lists {steps} steps, which are {} evaluations of `{}`, and `{}` has {other}",
                    r.path("times"),
                    steps * per_step,
                    solver.name(),
                    r.path("nfe"),
                );
                let help = format!("set `nfe = [{}]`", steps * per_step);
                r.problem(Problem::new(r.at("nfe"), message).help(help));
            }
            let seed = r.get("seed", Within(0, Within::LARGEST), seed as usize) as u64;
            let guidance = guidance(r, data.is_none_or(|(_, data)| data.classes.is_some()));
            let metrics = metrics(r, known, data.map(|(_, description)| description), samples);
            let grid = r.get("grid", Within(1, 4096), 64);
            // Of pictures; points have no such score, and no such key.
            let points = data.is_some_and(|(_, description)| description.shape[1..] == [1, 1]);
            let efflite0 = if points { Lite0::Off } else { r.get("efflite0", Lite0File, Lite0::Auto) };
            Self { every, samples, nfe, solver, times, seed, guidance, metrics, grid, efflite0 }
        })
    }
}

fn solver(r: &mut Reader, objective: Option<&impl Objectives>) -> Solver {
    let names = Choice(Solver::ALL.iter().map(|solver| (solver.name(), *solver)).collect());
    let learns = objective.map_or(Learns::Average, |objective| objective.facts().learns());
    let solver = r.get("solver", names, learns.solver());
    if let Some(objective) = objective.filter(|_| !solver.samples(learns)) {
        let able = Solver::ALL.iter().filter(|solver| solver.samples(learns));
        let able: Vec<String> = able.map(|solver| format!("`{}`", solver.name())).collect();
        let message = format!(
            "`{}`: `{}` needs what `{}` does not learn",
            r.path("solver"),
            solver.name(),
            objective.name()
        );
        r.problem(Problem::new(r.at("solver"), message).help(format!("use one of {}", able.join(", "))));
    }
    solver
}

/// `"off"`, or a table with `omega` and `interval`.
fn guidance(r: &mut Reader, classes: bool) -> Option<SampleGuidance> {
    // No key of data that have no classes.
    if !classes && !r.has("guidance") {
        r.node("guidance");
        return None;
    }
    let guidance = r.off_or("guidance", false, |r| {
        let none = SampleGuidance::NONE;
        SampleGuidance {
            omega: r.get("omega", Number::AT_LEAST_ONE, none.omega),
            interval: interval(r, none.interval),
        }
    })?;
    if !classes {
        let help = "leave it out, or use data with labels";
        r.fault("guidance", "guidance needs classes, the data has none", Some(help));
    }
    Some(guidance)
}

fn metrics(r: &mut Reader, known: &[Metric], data: Option<&Description>, samples: usize) -> Vec<Metric> {
    let applies = |metric: &Metric| data.is_none_or(|data| metric.applies_to(data.shape));
    let default: Vec<Metric> = known.iter().copied().filter(applies).collect();
    let names = Choice(known.iter().map(|metric| (metric.name(), *metric)).collect());
    let metrics = r.get("metrics", List { of: names, empty: true }, default.clone());
    let items = data.and_then(|data| data.items).unwrap_or(usize::MAX);
    for metric in metrics.iter().filter(|metric| applies(metric) && items < metric.least()) {
        let (path, name, least) = (r.path("metrics"), metric.name(), metric.least());
        let message =
            format!("`{path}`: `{name}` needs {least} samples to compare with, the data has {items}");
        r.problem(Problem::new(r.at("metrics"), message).help("set it to []"));
    }
    for metric in metrics.iter().filter(|metric| applies(metric)) {
        let Some(most) = metric.most().filter(|most| samples > *most) else { continue };
        let (path, name) = (r.path("samples"), metric.name());
        let message = format!("`{path}` = {samples}: `{name}` takes at most {most} samples");
        let help = format!("ask for fewer, or leave `{name}` out of `metrics`");
        r.problem(Problem::new(r.at("samples"), message).help(help));
    }
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
