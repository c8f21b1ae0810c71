//! Samples of a generator.

use crate::{GeneratorError, Model, NOISE, SampleGuidance, Sampling};
use burn::tensor::backend::Backend;
use meanflow_core::{
    Solver, Streams,
    objective::Learns,
    solver::{DormandPrince, Spacing},
};
use meanflow_nets::{Net, Networks};
use std::convert::Infallible;

/// What to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// How many samples.
    pub count: usize,
    /// Network evaluations a sample.
    pub nfe: usize,
    /// `None`: the solver of the experiment.
    pub solver: Option<Solver>,
    /// Class of every sample; `None`: all classes in turn.
    pub class: Option<usize>,
    /// Scale of guidance; `None`: that of the experiment's evaluation.
    pub omega: Option<f64>,
    /// Times at which guidance acts; `None`: those of the experiment's evaluation.
    pub interval: Option<[f64; 2]>,
    /// Where the field is evaluated; default: as in the experiment's evaluation.
    pub times: Option<Spacing>,
    /// Tolerance of the adaptive solver (Dormand–Prince) to sample with in place of `solver`, `times` and `nfe`.
    pub adaptive: Option<f64>,
    /// Key of the noise; `None`: the noise of the run's own evaluation.
    pub seed: Option<u64>,
}

impl Request {
    /// `count` samples as the experiment's evaluation draws them, at so many evaluations.
    pub fn new(count: usize, nfe: usize) -> Self {
        Self {
            count,
            nfe,
            solver: None,
            class: None,
            omega: None,
            interval: None,
            times: None,
            adaptive: None,
            seed: None,
        }
    }
}

/// Samples with their shape, `[count, channels, height, width]`, row-major, and what they are of.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// The values.
    pub values: Vec<f32>,
    /// The shape.
    pub shape: [usize; 4],
    /// Label of the average, `none` for the weights themselves.
    pub ema: String,
    /// Updates of the weights.
    pub step: u64,
    /// The solver.
    pub solver: Solver,
    /// Evaluations of the field that a sample took; with an adaptive solver, those of the rows that took most.
    pub evaluations: usize,
    /// Key of the noise.
    pub seed: u64,
}

/// Values of samples that are in memory at once at most, 8 GiB.
const MOST: usize = 2 << 30;

/// Draws samples from a trained network; `progress` is called with (done, all).
///
/// # Errors
/// [`GeneratorError::Request`] if the network cannot give what was asked for.
pub fn sample<B: Backend, N: Networks>(
    model: Model<N>,
    request: &Request,
    device: &B::Device,
    progress: impl FnMut(usize, usize),
) -> Result<Samples, GeneratorError> {
    let net: Net<B, N> = model.clone().network(device)?;
    sample_from(&net, &model, request, device, progress)
}

/// The same from the `net` of `model`.
pub(crate) fn sample_from<B: Backend, N: Networks>(
    net: &Net<B, N>,
    model: &Model<N>,
    request: &Request,
    device: &B::Device,
    mut progress: impl FnMut(usize, usize),
) -> Result<Samples, GeneratorError> {
    let [channels, height, width] = model.shape;
    let sampling = sampling(model, request)?;
    let solver = sampling.solver;
    let dimension = channels * height * width;
    if request.count > MOST / dimension {
        return Err(GeneratorError::Request(format!(
            "{} samples of {channels}×{height}×{width}: at most {} at once",
            request.count,
            MOST / dimension
        )));
    }
    let labels = match (request.class, model.classes) {
        (Some(class), Some(classes)) if class < classes => Some(vec![class; request.count]),
        (Some(class), Some(classes)) => {
            return Err(GeneratorError::Request(format!(
                "class {class}: the classes are 0 to {}",
                classes - 1
            )));
        }
        (Some(_), None) => return Err(GeneratorError::Request("this network has no classes".to_owned())),
        (None, classes) => classes.map(|classes| (0..request.count).map(|row| row % classes).collect()),
    };
    let seed = request.seed.unwrap_or(model.seed);
    let streams = Streams::new(seed);
    let (ema, step) = (model.ema.clone(), model.step);
    let (noise, count) = (streams.normals(NOISE, 0), request.count);
    let shape = [channels, height, width];
    let mut values = Vec::with_capacity(count * dimension);
    let take = |samples: Vec<f32>| {
        values.extend(samples);
        progress(values.len() / dimension, count);
        Ok::<(), Infallible>(())
    };
    let labels = labels.as_deref();
    let Ok(drawn) = sampling.draw(net, &streams, noise, count, shape, labels, device, take);
    if !drawn.met {
        let message = "the adaptive solver did not get to the data within its tolerance; allow a larger one";
        return Err(GeneratorError::Request(message.to_owned()));
    }
    let evaluations = drawn.evaluations;
    Ok(Samples {
        evaluations,
        values,
        shape: [request.count, channels, height, width],
        ema,
        step,
        solver,
        seed,
    })
}

/// How samples that were asked for are drawn.
///
/// # Errors
/// [`GeneratorError::Request`] if the network cannot give them.
pub(crate) fn sampling<N: Networks>(model: &Model<N>, request: &Request) -> Result<Sampling, GeneratorError> {
    let solver = request.solver.unwrap_or(model.solver);
    if !solver.samples(model.learns) {
        let able = Solver::ALL.iter().filter(|solver| solver.samples(model.learns));
        let able: Vec<&str> = able.map(|solver| solver.name()).collect();
        let message = format!(
            "the solver `{}` needs what this network has not learned; there are {}",
            solver.name(),
            able.join(", ")
        );
        return Err(GeneratorError::Request(message));
    }
    if let Some(tolerance) = request.adaptive {
        if model.learns == Learns::Consistency {
            let message = "an adaptive solver follows a velocity, which this network has not learned";
            return Err(GeneratorError::Request(message.to_owned()));
        }
        if !(1e-12..1.0).contains(&tolerance) {
            return Err(GeneratorError::Request(format!(
                "a tolerance is between 1e-12 and 1, not {tolerance}"
            )));
        }
    }
    let per_step = solver.evaluations_per_step();
    if request.nfe == 0 || !request.nfe.is_multiple_of(per_step) {
        let message = match request.nfe {
            0 => "0 evaluations: at least one".to_owned(),
            nfe => format!("{nfe} evaluations: `{}` needs a multiple of {per_step}", solver.name()),
        };
        return Err(GeneratorError::Request(message));
    }
    let times = request.times.clone().unwrap_or_else(|| model.times.clone());
    if let Some(steps) = times.steps()
        && steps * per_step != request.nfe
    {
        let (took, solver) = (steps * per_step, solver.name());
        return Err(GeneratorError::Request(format!(
            "{} evaluations: the listed times are {steps} steps, {took} evaluations of `{solver}`",
            request.nfe
        )));
    }
    Ok(Sampling {
        solver,
        nfe: request.nfe,
        times,
        adaptive: request.adaptive.map(|tolerance| DormandPrince { tolerance }),
        prediction: model.prediction,
        guidance: guidance(model, request)?,
    })
}

/// The guidance that was asked for, on top of the experiment's.
fn guidance<N: Networks>(
    model: &Model<N>,
    request: &Request,
) -> Result<Option<SampleGuidance>, GeneratorError> {
    if request.omega.is_none() && request.interval.is_none() {
        return Ok(model.guidance);
    }
    if model.classes.is_none() {
        return Err(GeneratorError::Request("guidance needs a network with classes".to_owned()));
    }
    let base = model.guidance.unwrap_or(SampleGuidance::NONE);
    let omega = request.omega.unwrap_or(base.omega);
    let interval = request.interval.unwrap_or(base.interval);
    if !omega.is_finite() || omega < 1.0 {
        let message = format!("a scale of guidance is at least 1, the scale without guidance, not {omega}");
        return Err(GeneratorError::Request(message));
    }
    let [low, high] = interval;
    if !(0.0..=high).contains(&low) || high > 1.0 {
        return Err(GeneratorError::Request(format!("{low} to {high} is no interval of times in [0, 1]")));
    }
    Ok(Some(SampleGuidance { omega, interval }))
}
