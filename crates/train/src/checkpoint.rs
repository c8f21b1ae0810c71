//! Checkpoints: the whole state of a run in one safetensors file, written aside, synced and renamed.

use crate::{TrainError, state::Named, tensor_file};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// Everything a run needs to go on, tensors apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates done.
    pub step: u64,
    /// Images seen.
    pub images: u64,
    /// Training time so far, over all starts, in seconds.
    pub secs: f64,
    /// Bytes of the log that belong to these steps.
    pub log_bytes: u64,
    /// Values of the steps since the last line of the log.
    pub window: Vec<[Option<f32>; 6]>,
}

/// A checkpoint in memory. Tensor names begin with `net.`, `ema.<i>.` or `optimizer.`.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Where the run is.
    pub progress: Progress,
    /// Labels of the averages, in order.
    pub ema: Vec<String>,
    /// Weights, averages and optimizer state.
    pub tensors: Named,
}

const FORMAT: &str = "meanflow-checkpoint-1";

impl Checkpoint {
    /// The tensors under `prefix`, without it.
    pub fn part(&self, prefix: &str) -> Named {
        let named = self.tensors.iter();
        named.filter_map(|(name, data)| Some((name.strip_prefix(prefix)?.to_owned(), data.clone()))).collect()
    }

    /// Writes `checkpoints/step-<step>.safetensors`.
    ///
    /// # Errors
    /// [`TrainError::Write`]; no earlier checkpoint is touched then.
    pub fn save(&self, folder: &Path) -> Result<PathBuf, TrainError> {
        let path = folder.join(format!("step-{:08}.safetensors", self.progress.step));
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("progress".to_owned(), json(&self.progress)),
            ("ema".to_owned(), json(&self.ema)),
        ]);
        tensor_file::write(&path, &self.tensors, metadata)?;
        Ok(path)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Read`], or [`TrainError::Checkpoint`] for a truncated or foreign file.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let broken = |reason: String| TrainError::Checkpoint { path: path.to_owned(), reason };
        let (metadata, tensors) = tensor_file::read(path, broken)?;
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(broken(format!("it is not marked as `{FORMAT}`")));
        }
        let entry = |key: &str| metadata.get(key).ok_or_else(|| broken(format!("it has no `{key}`")));
        let parse = |error: serde_json::Error| broken(error.to_string());
        Ok(Self {
            progress: serde_json::from_str(entry("progress")?).map_err(parse)?,
            ema: serde_json::from_str(entry("ema")?).map_err(parse)?,
            tensors,
        })
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values are JSON")
}

/// The checkpoints in a folder, by step.
///
/// # Errors
/// [`TrainError::Read`].
pub fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(TrainError::read(folder))? {
        let path = entry.map_err(TrainError::read(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let step = name.strip_prefix("step-").and_then(|name| name.strip_suffix(".safetensors"));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes the checkpoints that need not stay: all but the `last` newest and those at multiples of `every`; also what an
/// interrupted write left behind.
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
