//! Checkpoints: the whole state of a run in one safetensors file, written aside, synced and renamed.

mod files;
mod sound;

pub use files::{list, newest, of_step, prune, remove_unfinished};
pub use sound::{Expected, SetAside, check, newest_is_damaged, newest_sound};

use crate::TrainError;
use meanflow_state::{Named, StateFile};
use meanflow_weights::FileError;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Everything a run needs to go on, tensors apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates done.
    pub step: u64,
    /// Images seen.
    pub images: u64,
    /// Training time so far, over all starts, in seconds.
    pub secs: f64,
    /// Bytes of the log that belong to these steps.
    pub log_bytes: u64,
    /// Values of the steps since the last line of the log, in the order of `names`.
    pub window: Vec<Vec<Option<f32>>>,
    /// What those values are.
    #[serde(default = "first_names")]
    pub names: Vec<String>,
    /// Whether the scores of this step are due: they are computed after the checkpoint is written.
    #[serde(default)]
    pub unscored: bool,
    /// Scores of the run that could not be computed.
    #[serde(default)]
    pub failed_scores: u64,
}

/// A checkpoint in memory. Tensor names begin with `net.`, `ema.<i>.`, `teacher.<i>.` or `optimizer.`, and with `weight.` or
/// `weight-optimizer.` where the loss has a learned weight.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Where the run is.
    pub progress: Progress,
    /// Labels of the averages, in order.
    pub ema: Vec<String>,
    /// Weights, averages, teachers, optimizer state, and those of a learned weight of the loss.
    pub tensors: Named,
}

const FORMAT: &str = "meanflow-checkpoint-1";

impl Checkpoint {
    /// Takes out the tensors under `prefix`, without it.
    pub fn take(&mut self, prefix: &str) -> Named {
        let (part, rest): (Named, Named) =
            std::mem::take(&mut self.tensors).into_iter().partition(|(name, _)| name.starts_with(prefix));
        self.tensors = rest;
        part.into_iter().map(|(name, data)| (name[prefix.len()..].to_owned(), data)).collect()
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
        meanflow_state::write(&path, &self.tensors, metadata).map_err(TrainError::write(&path))?;
        Ok(path)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Read`], or [`TrainError::Checkpoint`] for a damaged or foreign file.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        Stored::open(path)?.load("")
    }
}

/// A checkpoint on the disk, of which all but the tensors is read.
#[derive(Debug)]
pub struct Stored<'a> {
    /// Where the run is.
    pub progress: Progress,
    /// Labels of the averages, in order.
    pub ema: Vec<String>,
    path: &'a Path,
    file: StateFile,
}

impl<'a> Stored<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`TrainError::Read`], or [`TrainError::Checkpoint`] for a damaged or foreign file, or one that has another's name.
    pub fn open(path: &'a Path) -> Result<Self, TrainError> {
        let broken = broken(path);
        let file = StateFile::open(path).map_err(unreadable(path))?;
        let metadata = file.texts();
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(broken(format!("it is not marked as `{FORMAT}`")));
        }
        let entry = |key: &str| metadata.get(key).ok_or_else(|| broken(format!("it has no `{key}`")));
        let parse = |error: serde_json::Error| broken(error.to_string());
        let progress: Progress = serde_json::from_str(entry("progress")?).map_err(parse)?;
        let ema = serde_json::from_str(entry("ema")?).map_err(parse)?;
        match files::step_of(path) {
            Some(step) if step != progress.step => {
                Err(broken(format!("it is of step {}, whatever its name says", progress.step)))
            }
            _ => Ok(Self { progress, ema, path, file }),
        }
    }

    /// Whether it has a checksum; checkpoints of older versions have none.
    pub fn has_checksum(&self) -> bool {
        self.file.has_checksum()
    }

    /// Compares all with the checksum, without keeping any tensor in memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn compare(self) -> Result<(), TrainError> {
        self.file.tensors(|_| false).map(drop).map_err(unreadable(self.path))
    }

    /// Reads the tensors whose names begin with `prefix`, and compares all with the checksum.
    ///
    /// # Errors
    /// [`TrainError::Read`], or [`TrainError::Checkpoint`] for a damaged file.
    pub fn load(self, prefix: &str) -> Result<Checkpoint, TrainError> {
        let tensors = self.file.tensors(|name| name.starts_with(prefix)).map_err(unreadable(self.path))?;
        Ok(Checkpoint { progress: self.progress, ema: self.ema, tensors })
    }
}

fn broken(path: &Path) -> impl Fn(String) -> TrainError {
    let path = path.to_owned();
    move |reason| TrainError::Checkpoint { path: path.clone(), reason }
}

/// What is wrong with a file that was to be read.
fn unreadable(path: &Path) -> impl Fn(FileError) -> TrainError {
    let path = path.to_owned();
    move |error| match error {
        FileError::Io(error) => TrainError::Read { path: path.clone(), error },
        other => broken(&path)(other.to_string()),
    }
}

/// What checkpoints hold that do not say it: those of before objectives named their measures.
fn first_names() -> Vec<String> {
    ["loss", "raw", "v", "dudt", "grad_norm", "head"].map(str::to_owned).to_vec()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values are JSON")
}

#[cfg(test)]
mod tests;
