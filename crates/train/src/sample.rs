//! Samples from the newest checkpoint of a run.

use crate::{
    TrainError,
    config::{Comparison, SampleGuidance, Variant},
    digest::newest,
    side_by_side,
    state::with_parameters,
    step::label_tensor,
};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use meanflow_core::{Condition, Guidance, Solver, Streams, solver::Grid};
use meanflow_nets::Net;
use std::path::Path;

/// What to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// How many samples.
    pub count: usize,
    /// Network evaluations a sample.
    pub nfe: usize,
    /// `None`: the solver of the experiment.
    pub solver: Option<Solver>,
    /// Label of the average, `none` for the raw weights; `None`: the first average.
    pub ema: Option<String>,
    /// Class of every sample; `None`: all classes in turn.
    pub class: Option<usize>,
    /// Scale of guidance; `None`: that of the experiment's evaluation.
    pub omega: Option<f64>,
    /// Times at which guidance acts; `None`: those of the experiment's evaluation.
    pub interval: Option<[f64; 2]>,
    /// Key of the noise; `None`: the noise of the run's own evaluation.
    pub seed: Option<u64>,
}

/// Samples with their shape, `[count, channels, height, width]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// The values.
    pub values: Vec<f32>,
    /// The shape.
    pub shape: [usize; 4],
}

/// Rows that go through the network at once. Fixed, so that results do not depend on the machine.
pub(crate) const CHUNK: usize = 250;

/// Draws samples; `progress` is called with (done, all).
///
/// # Errors
/// [`TrainError::NoRun`] if the folder holds no run, [`TrainError::Request`] if the run cannot give what was asked for.
pub fn sample<B: Backend>(
    run: &Path,
    request: &Request,
    device: &B::Device,
    mut progress: impl FnMut(usize, usize),
) -> Result<Samples, TrainError> {
    let variant = variant_of(run)?;
    let [channels, height, width] = variant.description.shape;
    let classes = variant.description.classes;
    let solver = request.solver.unwrap_or(variant.eval.solver);
    if solver == Solver::MeanFlow && !variant.objective.has_average_velocity() {
        let message = format!(
            "the solver `{}` steps by average velocities, which `{}` does not learn",
            solver.name(),
            variant.objective.name()
        );
        return Err(TrainError::Request(message));
    }
    let per_step = solver.evaluations_per_step();
    if request.nfe == 0 || !request.nfe.is_multiple_of(per_step) {
        let message = match request.nfe {
            0 => "0 evaluations: at least one".to_owned(),
            nfe => format!("{nfe} evaluations: `{}` needs a multiple of {per_step}", solver.name()),
        };
        return Err(TrainError::Request(message));
    }
    let labels = match (request.class, classes) {
        (Some(class), Some(classes)) if class < classes => Some(vec![class; request.count]),
        (Some(class), Some(classes)) => {
            return Err(TrainError::Request(format!("class {class}: the classes are 0 to {}", classes - 1)));
        }
        (Some(_), None) => return Err(TrainError::Request("this network has no classes".to_owned())),
        (None, classes) => classes.map(|classes| (0..request.count).map(|row| row % classes).collect()),
    };
    let guidance = guidance(&variant, request)?;
    let net = load::<B>(run, &variant, request.ema.as_deref(), device)?;
    let dimension = channels * height * width;
    let streams = Streams::new(request.seed.unwrap_or(variant.seed));
    let noise = streams.normal(NOISE, 0, request.count * dimension);
    let shape = [channels, height, width];
    let (labels, done) = (labels.as_deref(), |done| progress(done, request.count));
    let values = from_noise(&net, solver, request.nfe, &noise, shape, labels, guidance, device, done);
    Ok(Samples { values, shape: [request.count, channels, height, width] })
}

/// The stream of the fixed noise that evaluations start from.
pub(crate) const NOISE: &str = "eval-noise";

/// The samples that `noise` (rows of `shape`) flows to with `nfe` evaluations each, row after row; `progress` is called with
/// the rows done.
#[allow(clippy::too_many_arguments)] // what a sample depends on, each named once
pub(crate) fn from_noise<B: Backend>(
    net: &Net<B>,
    solver: Solver,
    nfe: usize,
    noise: &[f32],
    shape: [usize; 3],
    labels: Option<&[usize]>,
    guidance: Option<SampleGuidance>,
    device: &B::Device,
    mut progress: impl FnMut(usize),
) -> Vec<f32> {
    let grid = Grid::uniform(nfe / solver.evaluations_per_step());
    let [channels, height, width] = shape;
    let dimension = channels * height * width;
    let chunk = |(net, start, noise): (Net<B>, usize, &[f32])| {
        let rows = noise.len() / dimension;
        let z = Tensor::from_data(TensorData::new(noise.to_vec(), [rows, channels, height, width]), device);
        let condition = condition(rows, labels.map(|labels| &labels[start..start + rows]), guidance, device);
        let samples = solver.sample(&net, z, &grid, &condition).into_data();
        samples.iter::<f32>().collect::<Vec<_>>()
    };
    let chunks: Vec<_> = noise.chunks(CHUNK * dimension).enumerate().collect();
    let mut values = Vec::with_capacity(noise.len());
    for group in chunks.chunks(side_by_side::width::<B>(device)) {
        let items = group.iter().map(|&(index, noise)| (net.clone(), index * CHUNK, noise)).collect();
        for samples in side_by_side::map::<B, _, _>(device, items, chunk) {
            values.extend(samples);
            progress(values.len() / dimension);
        }
    }
    values
}

/// The guidance that was asked for, on top of the experiment's.
fn guidance(variant: &Variant, request: &Request) -> Result<Option<SampleGuidance>, TrainError> {
    if request.omega.is_none() && request.interval.is_none() {
        return Ok(variant.eval.guidance);
    }
    if !variant.net.guided() {
        return Err(TrainError::Request("this network does not take guidance as an input".to_owned()));
    }
    let base = variant.eval.guidance.unwrap_or(SampleGuidance::NONE);
    let omega = request.omega.unwrap_or(base.omega);
    let interval = request.interval.unwrap_or(base.interval);
    if !omega.is_finite() || omega <= 0.0 {
        return Err(TrainError::Request(format!("a scale of guidance is above 0, not {omega}")));
    }
    let [low, high] = interval;
    if !(0.0..=high).contains(&low) || high > 1.0 {
        return Err(TrainError::Request(format!("{low} to {high} is no interval of times in [0, 1]")));
    }
    Ok(Some(SampleGuidance { omega, interval }))
}

/// The condition of `rows` samples.
pub(crate) fn condition<B: Backend>(
    rows: usize,
    labels: Option<&[usize]>,
    guidance: Option<SampleGuidance>,
    device: &B::Device,
) -> Condition<B> {
    Condition {
        labels: labels.map(|labels| label_tensor(labels, device)),
        guidance: guidance
            .map(|SampleGuidance { omega, interval }| Guidance::full(rows, omega, interval, device)),
        ..Condition::none()
    }
}

/// The variant that a run folder holds.
///
/// # Errors
/// [`TrainError::NoRun`] if there is no readable `config.toml`.
pub fn variant_of(run: &Path) -> Result<Variant, TrainError> {
    let no_run = |reason: String| TrainError::NoRun { path: run.to_owned(), reason };
    let file = run.join("config.toml");
    if !file.is_file() {
        return Err(no_run(
            "there is no config.toml; give a folder like runs/<experiment>/<variant>".to_owned(),
        ));
    }
    let comparison = Comparison::load(&file, &[]).map_err(|error| no_run(error.to_string()))?;
    comparison.variants.into_iter().next().ok_or_else(|| no_run("its config.toml has no variant".to_owned()))
}

/// The network of the newest checkpoint.
fn load<B: Backend>(
    run: &Path,
    variant: &Variant,
    ema: Option<&str>,
    device: &B::Device,
) -> Result<Net<B>, TrainError> {
    let checkpoint = newest(run)?;
    let prefix = match ema {
        Some("none") => "net.".to_owned(),
        None if checkpoint.ema.is_empty() => "net.".to_owned(),
        None => "ema.0.".to_owned(),
        Some(label) => {
            let index = checkpoint.ema.iter().position(|known| known == label).ok_or_else(|| {
                let known = [checkpoint.ema.join(", "), "none".to_owned()].join(", ");
                TrainError::Request(format!("no average is called `{label}`; there are {known}"))
            })?;
            format!("ema.{index}.")
        }
    };
    let description = variant.description;
    let net: Net<B> =
        variant.net.init(description.shape, description.classes, &Streams::new(variant.seed), device)?;
    with_parameters(net, checkpoint.part(&prefix))
        .map_err(|error| TrainError::State { path: run.to_owned(), error })
}
