//! A generator as the page shows it.

use crate::{Computes, GeneratorError, Model, Request, onnx};
use meanflow_core::Solver;
use meanflow_nets::Networks;
use meanflow_page::{Generator, Grid, Steps};

/// The network with what a page needs to sample from it as `meanflow sample` does, at these numbers of evaluations (none: 1, 2 and 4
/// of an average velocity, 1 and 50 of a velocity).
///
/// # Errors
/// [`GeneratorError::Request`] for a solver or guidance that the page does not know; see [`onnx()`].
pub fn shown<N: Networks>(model: &Model<N>, nfe: &[usize]) -> Result<Generator, GeneratorError> {
    let path = model.path.display();
    let (solver, few): (_, &[usize]) = match model.solver {
        Solver::MeanFlow => (Steps::Meanflow, &[1, 2, 4]),
        Solver::Euler => (Steps::Euler, &[1, 50]),
        other => {
            let message = format!("{path}: the page knows no solver `{}`", other.name());
            return Err(GeneratorError::Request(message));
        }
    };
    if let Some(guidance) = model.guidance.filter(|guidance| guidance.omega != 1.0 && !model.net.guided()) {
        return Err(GeneratorError::Request(format!(
            "{path} samples with classifier-free guidance of scale {}, which the page does not know",
            guidance.omega
        )));
    }
    let listed = model.times.steps();
    let file = onnx(model, &Request::new(1, listed.unwrap_or(1)), Computes::Velocity)?;
    let about = |key: &str| file.described(key).unwrap_or_default().to_owned();
    let experiment = about("experiment");
    let grids = match listed {
        Some(steps) => vec![steps],
        None if nfe.is_empty() => few.to_vec(),
        None => nfe.to_vec(),
    };
    let grid = |nfe| Grid { nfe, times: model.times.grid(nfe).times().to_vec() };
    Ok(Generator {
        title: experiment.rsplit('/').next().unwrap_or_default().to_owned(),
        step: model.step,
        weights_sha256: about("weights_sha256"),
        shape: model.shape,
        classes: model.classes,
        seed: model.seed,
        solver,
        start: model.prediction.start(),
        grids: grids.into_iter().map(grid).collect(),
        file: file.to_bytes(),
        experiment,
    })
}
