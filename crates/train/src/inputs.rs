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
/// checkpoint.
///
/// # Errors
/// [`TrainError::OtherWeights`], [`TrainError::Read`].
pub(crate) fn check_weights<K: Kinds>(run: &Path, variant: &Variant<K>) -> Result<(), TrainError> {
    let Some(file) = variant.init.weights.as_ref().filter(|file| file.is_file()) else { return Ok(()) };
    let first = first_start(run)?;
    let Some(before) = first["init"]["sha256"].as_str() else { return Ok(()) };
    let now = env::sha256_of_file(file)?;
    if now == before {
        return Ok(());
    }
    Err(TrainError::OtherWeights { path: run.to_owned(), file: file.clone(), before: before.to_owned(), now })
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
