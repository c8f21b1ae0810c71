//! Samples from the newest checkpoint of a run, or from an exported file.

use crate::{TrainError, model::Model, side_by_side, step::label_tensor};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use meanflow_core::{Condition, Solver, Streams, solver::Grid};
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

/// Draws samples from a run folder or an exported file; `progress` is called with (done, all).
///
/// # Errors
/// [`TrainError::NoRun`] if the folder holds no run, [`TrainError::Request`] if the run cannot give what was asked for.
pub fn sample<B: Backend>(
    from: &Path,
    request: &Request,
    device: &B::Device,
    mut progress: impl FnMut(usize, usize),
) -> Result<Samples, TrainError> {
    let model = Model::open(from, request.ema.as_deref())?;
    let ([channels, height, width], classes) = (model.shape, model.classes);
    let solver = request.solver.unwrap_or(model.solver);
    let per_step = solver.evaluations_per_step();
    if request.nfe == 0 || !request.nfe.is_multiple_of(per_step) {
        let message =
            format!("{} evaluations: `{}` needs a multiple of {per_step}", request.nfe, solver.name());
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
    let dimension = channels * height * width;
    let streams = Streams::new(request.seed.unwrap_or(model.seed));
    let net: Net<B> = model.network(device)?;
    let noise = streams.normal(NOISE, 0, request.count * dimension);
    let shape = [channels, height, width];
    let values = from_noise(&net, solver, request.nfe, &noise, shape, labels.as_deref(), device, |done| {
        progress(done, request.count);
    });
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
    device: &B::Device,
    mut progress: impl FnMut(usize),
) -> Vec<f32> {
    let grid = Grid::uniform(nfe / solver.evaluations_per_step());
    let [channels, height, width] = shape;
    let dimension = channels * height * width;
    let chunk = |(net, start, noise): (Net<B>, usize, &[f32])| {
        let rows = noise.len() / dimension;
        let z = Tensor::from_data(TensorData::new(noise.to_vec(), [rows, channels, height, width]), device);
        let condition = condition(labels.map(|labels| &labels[start..start + rows]), device);
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

/// The condition on these classes, or none.
pub(crate) fn condition<B: Backend>(labels: Option<&[usize]>, device: &B::Device) -> Condition<B> {
    labels.map_or_else(Condition::none, |labels| Condition::labels(label_tensor(labels, device)))
}
