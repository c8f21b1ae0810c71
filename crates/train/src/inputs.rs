//! Whether the data and the initial weights are those that a run began with. Where they lie is no part of a run, so the
//! digests of its first start tell.

use crate::{
    Kinds, TrainError,
    config::Variant,
    env,
    known::variant_of,
    progress::{Event, Observer},
};
use meanflow_data::Dataset;
use serde_json::Value;
use std::path::Path;

/// Compares the data with that of the first start.
///
/// # Errors
/// [`TrainError::OtherData`], [`TrainError::Read`].
pub(crate) fn check_data(run: &Path, data: &dyn Dataset) -> Result<(), TrainError> {
    match first_start(run)?["data"]["sha256"].as_str() {
        Some(before) if before != data.digest() => {
            Err(TrainError::OtherData { path: run.to_owned(), before: before.to_owned(), now: data.digest() })
        }
        _ => Ok(()),
    }
}

/// Compares the file of initial weights, if it is there, with that of the first start. It need not be: the weights are in the
/// checkpoint. Of a run that has gone on since, it is the checkpoint of then.
///
/// # Errors
/// [`TrainError::OtherWeights`], [`TrainError::Read`].
pub(crate) fn check_weights<K: Kinds>(run: &Path, variant: &Variant<K>) -> Result<(), TrainError> {
    let first = first_start(run)?;
    let Some(before) = first["init"]["sha256"].as_str() else { return Ok(()) };
    let source = variant.init.run.as_ref().map(|start| start.from.path(run));
    let file = match source {
        Some(folder) if folder.is_dir() => {
            let name = first["init"]["path"].as_str().and_then(|path| Path::new(path).file_name());
            name.map(|name| folder.join("checkpoints").join(name))
        }
        Some(file) => Some(file),
        None => variant.init.weights.clone(),
    };
    let Some(file) = file.filter(|file| file.is_file()) else { return Ok(()) };
    let now = env::sha256_of_file(&file)?;
    if now == before {
        return Ok(());
    }
    Err(TrainError::OtherWeights { path: run.to_owned(), file, before: before.to_owned(), now })
}

/// Compares what a finished run began with, as far as it is there: nothing of it is needed any more. Data is opened only
/// where the configuration names another place than before.
///
/// # Errors
/// As [`check_data`] and [`check_weights`].
pub(crate) fn check_finished<K: Kinds>(
    run: &Path,
    variant: &Variant<K>,
    observer: &mut dyn Observer,
) -> Result<(), TrainError> {
    check_weights(run, variant)?;
    if !Variant::<K>::data_moved(&variant_of(run)?, variant) {
        return Ok(());
    }
    match variant.data.open() {
        Ok(data) => check_data(run, data.as_ref()),
        Err(error) => {
            let text = format!("the data has another place now and was not compared: {error}");
            observer.on(Event::Note { text: &text });
            Ok(())
        }
    }
}

/// What `env.json` says of the first start; null if it says nothing.
fn first_start(run: &Path) -> Result<Value, TrainError> {
    Ok(env::starts(run)?.into_iter().next().unwrap_or_default())
}
