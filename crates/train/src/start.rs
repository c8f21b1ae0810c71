//! The weights at step 0, where `[init]` names some.

use crate::{
    Kinds, TrainError,
    checkpoint::{newest, of_step},
    config::{InitConfig, Variant},
    known::variant_of,
    progress::{Event, Observer},
    trained,
};
use burn::tensor::backend::Backend;
use meanflow_core::objective::{Learns, Objectives};
use meanflow_data::Dataset;
use meanflow_generator::load;
use meanflow_nets::{Net, Networks};
use meanflow_state::{parameters, with_parameters};
use std::path::{Path, PathBuf};

/// `net`, made for `data`, with the weights that `[init]` names, or as it is; `run` is the folder of the run.
///
/// # Errors
/// A run or file that is not there, or does not fit: [`TrainError::NoRun`], [`TrainError::Request`], [`TrainError::Weights`],
/// [`TrainError::Net`], [`TrainError::State`].
pub(crate) fn from<B: Backend, K: Kinds>(
    net: Net<B, K::Net>,
    variant: &Variant<K>,
    run: &Path,
    data: &dyn Dataset,
    device: &B::Device,
    observer: &mut dyn Observer,
) -> Result<Net<B, K::Net>, TrainError> {
    if let Some(path) = &variant.init.weights {
        let (net, report) = load(net, &variant.net, data.shape(), path, &variant.init.load)?;
        observer.on(Event::Weights { report: &report });
        return Ok(net);
    }
    let Some(start) = &variant.init.run else { return Ok(net) };
    let path = start.from.path(run);
    let model = trained::open_at::<K>(&path, start.average.as_deref(), start.step)?;
    if start.step.is_none() && path.is_dir() {
        let steps = variant_of::<K>(&path)?.train.steps;
        if model.step < steps {
            let (path, step) = (path.display(), model.step);
            return Err(TrainError::Request(format!(
                "{path}, from which `init` starts, is at step {step} of {steps}; finish it, or name a step by `init.step`"
            )));
        }
    }
    let wrong = |reason: String| TrainError::Weights { path: path.clone(), reason };
    let (there, here) = ((model.shape, model.classes), (data.shape(), data.classes()));
    if there != here {
        return Err(wrong(format!(
            "it is for samples {:?} with {:?} classes, and this run has {:?} with {:?}",
            there.0, there.1, here.0, here.1
        )));
    }
    let facts = variant.objective.facts();
    if model.prediction != facts.prediction() {
        return Err(wrong(format!(
            "its network's output is {:?}, and here it is {:?}: the same weights would say something else",
            model.prediction,
            facts.prediction()
        )));
    }
    let keeps = start.keep_flow && model.learns == Learns::Velocity && facts.learns() != Learns::Velocity;
    let (step, ema) = (model.step, model.ema.clone());
    let weights = if keeps {
        let settings = model.net.clone();
        let flow = model.network::<B>(device)?;
        let start = variant.net.start_from(&settings, flow, net.clone()).map_err(|error| {
            wrong(format!("{error}; `init.keep-flow = false` takes the weights as they are"))
        })?;
        parameters(&start)
    } else if variant.net.computes_as(&model.net) {
        model.weights
    } else {
        return Err(wrong(format!("it has the network {:?}, and here it is {:?}", model.net, variant.net)));
    };
    let net =
        with_parameters(net, weights).map_err(|error| TrainError::State { path: path.clone(), error })?;
    let flow = if keeps { ", a flow for every r ≤ t" } else { "" };
    let path = path.display();
    observer.on(Event::Note {
        text: &format!("the weights start from {path}, step {step}, average {ema}{flow}"),
    });
    Ok(net)
}

/// The file that holds the initial weights of the run in the folder `run`, of another run that of its checkpoint; `None`: drawn at
/// random.
///
/// # Errors
/// [`TrainError::NoRun`] and [`TrainError::Request`]: a run without that checkpoint.
pub(crate) fn file(init: &InitConfig, run: &Path) -> Result<Option<PathBuf>, TrainError> {
    let Some(start) = &init.run else { return Ok(init.weights.clone()) };
    let path = start.from.path(run);
    Ok(Some(match start.step {
        _ if path.is_file() => path,
        Some(step) => of_step(&path, step)?,
        None => newest(&path)?,
    }))
}
