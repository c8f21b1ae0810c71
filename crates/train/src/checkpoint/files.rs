//! The files of a folder of checkpoints.

use crate::TrainError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The step that a checkpoint's name tells.
pub(super) fn step_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_string_lossy();
    name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()
}

/// The checkpoints in a folder, by step.
///
/// # Errors
/// [`TrainError::Read`].
pub fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(TrainError::read(folder))? {
        let path = entry.map_err(TrainError::read(folder))?.path();
        found.extend(step_of(&path).map(|step| (step, path)));
    }
    found.sort();
    Ok(found)
}

/// The newest checkpoint of a run, for whoever does not train it.
///
/// # Errors
/// [`TrainError::NoRun`] if there is none.
pub fn newest(run: &Path) -> Result<PathBuf, TrainError> {
    let no_run = |reason: &str| TrainError::NoRun { path: run.to_owned(), reason: reason.to_owned() };
    let folder = run.join("checkpoints");
    if !folder.is_dir() {
        return Err(no_run(
            "there is no folder `checkpoints`; give a folder like runs/<experiment>/<variant>",
        ));
    }
    let newest = list(&folder)?.pop();
    newest.map(|(_, path)| path).ok_or_else(|| no_run("it has no checkpoint yet"))
}

/// The checkpoint of a run at this step.
///
/// # Errors
/// [`TrainError::NoRun`] if it has none at all, [`TrainError::Request`] if it has none there.
pub fn of_step(run: &Path, step: u64) -> Result<PathBuf, TrainError> {
    newest(run)?;
    let all = list(&run.join("checkpoints"))?;
    let known: Vec<String> = all.iter().map(|(step, _)| step.to_string()).collect();
    all.into_iter().find(|(found, _)| *found == step).map(|(_, path)| path).ok_or_else(|| {
        let (run, known) = (run.display(), known.join(", "));
        TrainError::Request(format!("{run} has no checkpoint of step {step}; there are {known}"))
    })
}

/// Removes the checkpoints that need not stay: all but the `last` newest and those at multiples of `every`.
///
/// # Errors
/// [`TrainError::Write`].
pub fn prune(folder: &Path, last: usize, every: Option<u64>) -> Result<(), TrainError> {
    let all = list(folder)?;
    let old = all.len().saturating_sub(last);
    for (step, path) in &all[..old] {
        if every.is_none_or(|every| !step.is_multiple_of(every)) {
            fs::remove_file(path).map_err(TrainError::write(path))?;
        }
    }
    Ok(())
}

/// Removes what a killed process left half-written; nobody else may be writing.
///
/// # Errors
/// [`TrainError::Write`].
pub fn remove_unfinished(folder: &Path) -> Result<(), TrainError> {
    for entry in fs::read_dir(folder).map_err(TrainError::read(folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // `.tmp…` is how the safetensors crate calls a file before it is whole.
        if name.ends_with(".part") || name.starts_with(".tmp") {
            fs::remove_file(entry.path()).map_err(TrainError::write(&entry.path()))?;
        }
    }
    Ok(())
}
