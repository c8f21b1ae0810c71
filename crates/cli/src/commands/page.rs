//! `meanflow page`.

use crate::{
    Done,
    args::{Page, Usage, ensure_usage},
};
use meanflow_core::Solver;
use meanflow_nets::Networks;
use meanflow_page::{Generator, Grid, Runtime, Steps, page};
use meanflow_train::{
    Kinds,
    folder::write_atomic,
    model::Model,
    onnx::{Computes, onnx},
    sample::Request,
};
use std::path::Path;

/// Writes a page in which the networks run.
pub fn run<K: Kinds>(args: Page) -> anyhow::Result<Done> {
    ensure_usage(!args.nfe.contains(&0), || "--nfe 0: at least one evaluation".to_owned())?;
    let generator = |run| generator::<K>(run, args.ema.as_deref(), &args.nfe);
    let generators: Vec<Generator> = args.runs.iter().map(|run| generator(run)).collect::<Result<_, _>>()?;
    let runtime = Runtime::open(&args.runtime, |what| say!("{what}"))?;
    let html = page(&generators, &runtime)?;
    write_atomic(&args.out, html.as_bytes())?;
    say!("{} bytes, {} of them networks", html.len(), generators.iter().map(|g| g.file.len()).sum::<usize>());
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}

/// The network of a run with what the page needs to sample from it as `meanflow sample` does.
fn generator<K: Kinds>(run: &Path, ema: Option<&str>, nfe: &[usize]) -> anyhow::Result<Generator> {
    let model = Model::<K>::open(run, ema)?;
    let (solver, few): (_, &[usize]) = match model.solver {
        Solver::MeanFlow => (Steps::Meanflow, &[1, 2, 4]),
        Solver::Euler => (Steps::Euler, &[1, 50]),
        other => {
            let message = format!("{}: the page knows no solver `{}`", run.display(), other.name());
            return Err(Usage(message).into());
        }
    };
    let free = model.guidance.filter(|guidance| guidance.omega != 1.0 && !model.net.guided());
    if let Some(guidance) = free {
        let message = format!(
            "{} samples with classifier-free guidance of scale {}, which the page does not know",
            run.display(),
            guidance.omega
        );
        return Err(Usage(message).into());
    }
    let listed = model.times.steps();
    let file = onnx(&model, &Request::new(1, listed.unwrap_or(1)), Computes::Velocity)?;
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
