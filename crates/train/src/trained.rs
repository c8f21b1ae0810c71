//! The generator that a run has trained, or that a file holds.

use crate::{
    Kinds, TrainError,
    checkpoint::{Stored, newest},
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
    if !path.exists() {
        let reason = "there is no such folder or file".to_owned();
        return Err(TrainError::NoRun { path: path.to_owned(), reason });
    }
    let model = if path.is_file() { Model::open(path)? } else { of_run::<K>(path, ema)? };
    match ema {
        Some(asked) if asked != model.ema => Err(TrainError::Request(format!(
            "{} holds the weights `{}`, not `{asked}`",
            path.display(),
            model.ema
        ))),
        _ => Ok(model),
    }
}

/// The newest checkpoint of a run: the average of this label, `none` for the weights themselves, by default the first.
///
/// # Errors
/// [`TrainError::NoRun`] if the folder holds no run, [`TrainError::Request`] if it has no such average.
pub fn of_run<K: Kinds>(run: &Path, ema: Option<&str>) -> Result<Model<K::Net>, TrainError> {
    let variant = variant_of::<K>(run)?;
    let newest = newest(run)?;
    let checkpoint = Stored::open(&newest)?;
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
