//! The generator that a run has trained, or that a file holds.

use crate::{
    Kinds, TrainError,
    checkpoint::{Stored, newest, of_step},
    config::Variant,
    known::variant_of,
};
use burn::tensor::backend::Backend;
use meanflow_core::{Streams, objective::Objectives};
use meanflow_generator::{Load, Loaded, Model, load};
use meanflow_nets::{Net, Networks};
use meanflow_state::{Named, parameters};
use std::path::Path;

/// The generator in a run folder or an exported file: the average of this label, `none` for the weights themselves, by default the
/// first.
///
/// # Errors
/// See [`of_run`] and [`Model::open`]; [`TrainError::Request`] for another average than the file has.
pub fn open<K: Kinds>(path: &Path, ema: Option<&str>) -> Result<Model<K::Net>, TrainError> {
    open_at::<K>(path, ema, None)
}

/// As [`open`], at this step of a run, by default the newest.
///
/// # Errors
/// Those of [`open`]; [`TrainError::Request`] for a step without a checkpoint, or of a file.
pub fn open_at<K: Kinds>(
    path: &Path,
    ema: Option<&str>,
    step: Option<u64>,
) -> Result<Model<K::Net>, TrainError> {
    if !path.exists() {
        let reason = "there is no such folder or file".to_owned();
        return Err(TrainError::NoRun { path: path.to_owned(), reason });
    }
    let model = if path.is_file() { Model::open(path)? } else { of_run_at::<K>(path, ema, step)? };
    match ema {
        Some(asked) if asked != model.ema => Err(TrainError::Request(format!(
            "{} holds the weights `{}`, not `{asked}`",
            path.display(),
            model.ema
        ))),
        _ if step.is_some_and(|step| step != model.step) => Err(TrainError::Request(format!(
            "{} is of step {}, not {}",
            path.display(),
            model.step,
            step.unwrap_or_default()
        ))),
        _ => Ok(model),
    }
}

/// The newest checkpoint of a run: the average of this label, `none` for the weights themselves, by default the first.
///
/// # Errors
/// [`TrainError::NoRun`] if the folder holds no run, [`TrainError::Request`] if it has no such average.
pub fn of_run<K: Kinds>(run: &Path, ema: Option<&str>) -> Result<Model<K::Net>, TrainError> {
    of_run_at::<K>(run, ema, None)
}

/// As [`of_run`], of the checkpoint of this step.
fn of_run_at<K: Kinds>(
    run: &Path,
    ema: Option<&str>,
    step: Option<u64>,
) -> Result<Model<K::Net>, TrainError> {
    let variant = variant_of::<K>(run)?;
    let file = match step {
        Some(step) => of_step(run, step)?,
        None => newest(run)?,
    };
    let checkpoint = Stored::open(&file)?;
    let label = ema.or(checkpoint.ema.first().map(String::as_str)).unwrap_or("none");
    let prefix = if label == "none" {
        "net.".to_owned()
    } else {
        let index = checkpoint.ema.iter().position(|known| known == label).ok_or_else(|| {
            let known = [checkpoint.ema.join(", "), "none".to_owned()].join(", ");
            TrainError::Request(format!("no average is called `{label}`; there are {known}"))
        })?;
        format!("ema.{index}.")
    };
    let described = described(run, &variant, label);
    let mut checkpoint = checkpoint.load(&prefix)?;
    let model = Model { step: checkpoint.progress.step, weights: checkpoint.take(&prefix), ..described };
    model.finite()?;
    Ok(model)
}

/// Writes the weights of a file as a generator of this variant, which `sample` can use.
///
/// # Errors
/// See [`load`], and those of writing.
pub fn convert<B: Backend, K: Kinds>(
    variant: &Variant<K>,
    path: &Path,
    how: &Load,
    out: &Path,
    device: &B::Device,
) -> Result<Loaded, TrainError> {
    let (shape, classes) = (variant.description.shape, variant.description.classes);
    let net: Net<B, K::Net> = variant.net.init(shape, classes, &Streams::new(variant.seed), device)?;
    let (net, loaded) = load(net, &variant.net, shape, path, how)?;
    Model { weights: parameters(&net), ..described(path, variant, "none") }.write(out)?;
    Ok(loaded)
}

/// All but the weights.
fn described<K: Kinds>(path: &Path, variant: &Variant<K>, ema: &str) -> Model<K::Net> {
    Model {
        path: path.to_owned(),
        net: variant.net.clone(),
        shape: variant.description.shape,
        classes: variant.description.classes,
        solver: variant.eval.solver,
        guidance: variant.eval.guidance,
        times: variant.eval.times.clone(),
        learns: variant.objective.facts().learns(),
        prediction: variant.objective.facts().prediction(),
        seed: variant.eval.seed,
        ema: ema.to_owned(),
        step: 0,
        table: variant.resolved.kind_table("net"),
        weights: Named::new(),
    }
}
