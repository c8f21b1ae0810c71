//! `[eval]`: how a run is scored on the way and at its end.

use crate::request::Networks;
use meanflow_core::{
    objective::{Learns, Objectives, interval},
    solver::{Solver, Spacing},
};
use meanflow_data::{DataConfig, Description};
use meanflow_generator::SampleGuidance;
use meanflow_metrics::{
    Given, InceptionWeights, METRICS, Metric, Named, Settings, Space, networks::LITE0_PATH,
};
use meanflow_settings::{
    Choice, Length, List, Node, Number, PathTo, Problem, Reader, Scalar, Steps, Value, Where, Within, Wrong,
    quote,
};
use std::path::{Path, PathBuf};

/// The score that is added at the end of a run where its network's weights are at hand.
pub(crate) const LITE: &str = "fd_efflite0";

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
    pub metrics: Vec<Named>,
    /// Random halves of the samples that intervals come from; below 2, no intervals.
    pub repeats: usize,
    /// Images in a sample grid.
    pub grid: usize,
    /// Weights for `fd_efflite0` at the end.
    pub efflite0: Lite0,
    /// Weights of Inception-v3.
    pub inception: Option<PathBuf>,
    /// A file with a classifier.
    pub classifier: Option<PathBuf>,
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

/// `"off"` or a path.
struct FileOrOff;

impl Scalar for FileOrOff {
    type Out = Option<PathBuf>;

    fn expected(&self) -> String {
        "a path or \"off\"".to_owned()
    }

    fn read(&self, node: &Node) -> Result<Option<PathBuf>, Wrong> {
        match &node.value {
            Value::String(word) if word == "off" => Ok(None),
            _ => PathTo.read(node).map(Some),
        }
    }

    fn show(&self, value: &Option<PathBuf>) -> String {
        value.as_ref().map_or_else(|| quote("off"), |path| PathTo.show(path))
    }

    fn blank(&self) -> Option<PathBuf> {
        None
    }

    fn is_path(&self) -> bool {
        true
    }
}

impl EvalConfig {
    /// What values depend on.
    pub(crate) fn settings(&self) -> Settings {
        Settings { seed: self.seed, repeats: self.repeats, ..Settings::default() }
    }

    /// Where the weights of feature networks are.
    pub(crate) fn networks(&self) -> Networks {
        let efflite0 = match &self.efflite0 {
            Lite0::File(path) => path.clone(),
            Lite0::Auto | Lite0::Off => PathBuf::from(LITE0_PATH),
        };
        // Nothing is kept on the disk: real pictures are looked at once in a run.
        Networks { inception: self.inception.clone(), efflite0, ..Networks::default() }
    }

    /// The score that is added at the end of a run, if the weights of its network are at hand.
    pub(crate) fn at_the_end(&self, shape: [usize; 3]) -> Option<Named> {
        // Without any metric, nothing but what was asked for is scored.
        let pictures = matches!(shape[0], 1 | 3) && shape[1] * shape[2] > 1 && !self.metrics.is_empty();
        let wanted = match &self.efflite0 {
            Lite0::Auto => pictures && Path::new(LITE0_PATH).is_file(),
            Lite0::Off => false,
            Lite0::File(_) => true,
        };
        let named = || Named::resolve(METRICS, LITE, Given::Images, InceptionWeights::None).ok();
        wanted.then(named).flatten()
    }

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
            // Networks look at pictures; points have no such scores, and no such keys.
            let points = data.is_some_and(|(_, description)| description.shape[1..] == [1, 1]);
            let mut file = |key| if points { None } else { r.get(key, FileOrOff, None) };
            let (inception, classifier) = (file("inception"), file("classifier"));
            let efflite0 = if points { Lite0::Off } else { r.get("efflite0", Lite0File, Lite0::Auto) };
            let description = data.map(|(_, description)| description);
            let at_hand = AtHand { inception: inception.is_some(), classifier: classifier.is_some() };
            let metrics = metrics(r, known, description, samples, at_hand);
            let repeats = r.get("repeats", Within(0, 1000), Settings::default().repeats);
            let grid = r.get("grid", Within(1, 4096), 64);
            Self {
                every,
                samples,
                nfe,
                solver,
                times,
                seed,
                guidance,
                metrics,
                repeats,
                grid,
                efflite0,
                inception,
                classifier,
            }
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

/// Which files a metric may need that the settings name.
#[derive(Clone, Copy)]
struct AtHand {
    inception: bool,
    classifier: bool,
}

fn metrics(
    r: &mut Reader,
    known: &[Metric],
    data: Option<&Description>,
    samples: usize,
    at_hand: AtHand,
) -> Vec<Named> {
    // Whether they are the published ones is seen when they are read.
    let weights = if at_hand.inception { InceptionWeights::Published } else { InceptionWeights::None };
    let names = MetricName { known, given: data.map(|data| given(data.shape)), weights };
    let default = data.map(|data| Named::unasked(known, data.shape, true)).unwrap_or_default();
    let default = default.iter().filter_map(|name| names.resolve(name).ok()).collect();
    let metrics: Vec<Named> = r.get("metrics", List { of: names, empty: true }, default);
    let path = r.path("metrics");
    let mut problem = |message: String, help: &str| {
        let place: Where = r.at("metrics");
        r.problem(Problem::new(place, message).help(help));
    };
    let items = data.and_then(|data| data.items).unwrap_or(usize::MAX);
    for Named { metric, label, .. } in &metrics {
        if items < metric.least() {
            let least = metric.least();
            let message =
                format!("`{path}`: `{label}` needs {least} samples to compare with, the data has {items}");
            problem(message, "set it to []");
        }
    }
    for Named { space, label, metric } in metrics.iter() {
        let Some(Description { shape: [channels, ..], classes, .. }) = data else { break };
        match space {
            Space::Given => {}
            Space::Classifier if classes.is_none() => {
                problem(format!("`{path}`: `{label}` needs classes, the data has none"), "leave it out");
            }
            Space::Classifier if !at_hand.classifier => {
                let help = "`meanflow train-classifier` makes one, and `eval.classifier` names it";
                problem(format!("`{path}`: `{label}` needs a classifier"), help);
            }
            Space::Classifier => {}
            _ if !matches!(channels, 1 | 3) => {
                let message = format!(
                    "`{path}`: `{label}` looks at pictures of 1 or 3 channels, the data has {channels}"
                );
                problem(message, &format!("leave `{}` out", metric.name()));
            }
            _ => {}
        }
    }
    for Named { metric, label, .. } in &metrics {
        let Some(most) = metric.most().filter(|most| samples > *most) else { continue };
        let path = r.path("samples");
        let message = format!("`{path}` = {samples}: `{label}` takes at most {most} samples");
        let help = format!("ask for fewer, or leave `{label}` out of `metrics`");
        r.problem(Problem::new(r.at("samples"), message).help(help));
    }
    metrics
}

/// What samples of this shape are to a metric.
fn given(shape: [usize; 3]) -> Given {
    if shape[1..] == [1, 1] { Given::Rows } else { Given::Images }
}

/// The name of a score, as `meanflow eval --metrics` takes it.
struct MetricName<'a> {
    known: &'a [Metric],
    /// `None` where the data could not be read.
    given: Option<Given>,
    weights: InceptionWeights,
}

impl MetricName<'_> {
    fn given(&self) -> Vec<Given> {
        self.given.map_or(vec![Given::Rows, Given::Images], |given| vec![given])
    }

    fn resolve(&self, name: &str) -> Result<Named, String> {
        let mut found =
            self.given().into_iter().map(|given| Named::resolve(self.known, name, given, self.weights));
        let first = found.next().expect("at least one kind of samples");
        first.or_else(|error| found.next().unwrap_or(Err(error)))
    }

    fn names(&self) -> Vec<String> {
        self.given().into_iter().flat_map(|given| Named::names(self.known, given)).collect()
    }
}

impl Scalar for MetricName<'_> {
    type Out = Named;

    fn expected(&self) -> String {
        "the name of a score".to_owned()
    }

    fn read(&self, node: &Node) -> Result<Named, Wrong> {
        let Value::String(name) = &node.value else { return Err(Wrong::Type("a string".into())) };
        self.resolve(name).map_err(|message| match self.names().contains(name) {
            true => Wrong::Because(message, "`eval.inception` names a file of weights".to_owned()),
            false => Wrong::Name(self.names()),
        })
    }

    fn show(&self, value: &Named) -> String {
        quote(&value.label)
    }

    fn blank(&self) -> Named {
        Named { metric: self.known[0], space: Space::Given, label: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_have_a_score_at_the_end_and_only_with_weights() {
        let of = |efflite0, shape| {
            let metrics = Named::resolve(METRICS, "fd_pca64", Given::Images, InceptionWeights::None);
            let config = EvalConfig {
                every: 1,
                samples: 2,
                nfe: vec![1],
                solver: Solver::MeanFlow,
                guidance: None,
                times: Spacing::default(),
                seed: 0,
                metrics: metrics.into_iter().collect(),
                repeats: 0,
                grid: 1,
                efflite0,
                inception: None,
                classifier: None,
            };
            config.at_the_end(shape).map(|named| named.label)
        };
        let file = || Lite0::File(PathBuf::from("x.pth"));
        assert_eq!(of(file(), [1, 28, 28]).as_deref(), Some("fd_efflite0"));
        assert_eq!(of(Lite0::Off, [3, 32, 32]), None);
        // The tests run where no weights are.
        assert_eq!(of(Lite0::Auto, [3, 32, 32]), None);
        assert_eq!(of(Lite0::Auto, [4, 32, 32]), None);
    }
}
