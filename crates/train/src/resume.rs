//! What a start finds in a run folder: whether it is the same run, what may have changed, and what is left of an earlier
//! beginning.

use crate::{
    Kinds, TrainError, checkpoint,
    checkpoint::Progress,
    config::{Comparison, Difference, Sort, Variant},
    folder::{Folder, read_if_present},
};
use meanflow_core::objective::Objectives;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Checks that a run folder, if it holds a run, holds this very variant, and gives the keys that changed and may.
///
/// Without a checkpoint an unfinished run begins again, with any configuration.
///
/// # Errors
/// [`TrainError::Changed`] with the keys that differ and may not.
pub fn check_unchanged<K: Kinds>(path: &Path, variant: &Variant<K>) -> Result<Vec<Difference>, TrainError> {
    let file = path.join("config.toml");
    let Some(bytes) = read_if_present(&file)? else { return Ok(Vec::new()) };
    let begun = has_checkpoints(path)?;
    let finished = status(path)?["state"] == "finished";
    if !begun && !finished || bytes == variant.resolved.to_toml().as_bytes() {
        return Ok(Vec::new());
    }
    // Whether the data is the same, its digest says.
    let before =
        Comparison::<K>::load_described(&file, variant.description).map_err(|error| TrainError::NoRun {
            path: path.to_owned(),
            reason: format!("its config.toml cannot be read any more\n{error}"),
        })?;
    let Some(before) = before.variants.first() else { return Ok(Vec::new()) };
    // Without a checkpoint there is nothing to go on from. Where a schedule is stretched over the run, its steps so far would have
    // been others in a longer one.
    let scheduled = variant.objective.facts().depends_on_length();
    let grows = begun && !scheduled && variant.train.steps > before.train.steps;
    let may = |difference: &Difference| match Sort::of(&difference.key) {
        Sort::Identity => false,
        Sort::Length => grows,
        Sort::Habit => true,
    };
    let (free, refused): (Vec<_>, Vec<_>) =
        Variant::<K>::differences(before, variant).into_iter().partition(may);
    if refused.is_empty() {
        Ok(free)
    } else {
        Err(TrainError::Changed { path: path.to_owned(), differences: refused })
    }
}

/// Whether the folder holds a checkpoint.
pub(crate) fn has_checkpoints(path: &Path) -> Result<bool, TrainError> {
    let checkpoints = path.join("checkpoints");
    Ok(checkpoints.is_dir() && !checkpoint::list(&checkpoints)?.is_empty())
}

/// `status.json`; null if there is none that can be read.
fn status(path: &Path) -> Result<Value, TrainError> {
    let bytes = read_if_present(&path.join("status.json"))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Of a run that is trained and scored to the last step of `variant`: how many scores could not be computed.
pub(crate) fn finished<K: Kinds>(path: &Path, variant: &Variant<K>) -> Result<Option<u64>, TrainError> {
    let status = status(path)?;
    let done = status["state"] == "finished"
        && status["step"].as_u64().is_none_or(|step| step >= variant.train.steps);
    Ok(done.then(|| status["failed_scores"].as_u64().unwrap_or(0)))
}

/// What belongs to a run and is moved aside when it begins again; the status comes last, because it tells that there is
/// something to move.
const PARTS: [&str; 7] =
    ["samples", "metrics.jsonl", "scores.jsonl", "data.json", "env.json", "config.toml", "status.json"];

/// Where a run has no checkpoint any more, moves what is left of it into a folder `before-<n>` and says which.
///
/// A run that was killed before its first checkpoint and has not changed writes the same again: that is not kept.
///
/// # Errors
/// [`TrainError::Write`].
pub(crate) fn set_aside<K: Kinds>(
    folder: &Folder,
    variant: &Variant<K>,
) -> Result<Option<PathBuf>, TrainError> {
    let log = fs::metadata(folder.join("metrics.jsonl")).map_or(0, |metadata| metadata.len());
    if log == 0 || has_checkpoints(folder.path())? {
        return Ok(None);
    }
    let same = read_if_present(&folder.join("config.toml"))?
        .is_some_and(|bytes| bytes == variant.resolved.to_toml().as_bytes());
    if same && status(folder.path())?["step"] == 0 {
        return Ok(None);
    }
    let free = (1..).map(|n| folder.join(&format!("before-{n}"))).find(|path| !path.exists());
    let aside = free.expect("one number is free");
    fs::create_dir(&aside).map_err(TrainError::write(&aside))?;
    for part in PARTS {
        let from = folder.join(part);
        if from.exists() {
            fs::rename(&from, aside.join(part)).map_err(TrainError::write(&from))?;
        }
    }
    let samples = folder.join("samples");
    fs::create_dir_all(&samples).map_err(TrainError::write(&samples))?;
    Ok(Some(aside))
}

/// Removes the pictures and points of steps that this run has not come to, or will draw anew. The pictures of `eval --nearest`
/// stay if their numbers tell a step that this run has come to.
///
/// # Errors
/// [`TrainError::Read`], [`TrainError::Write`].
pub(crate) fn remove_later_samples(samples: &Path, progress: &Progress) -> Result<(), TrainError> {
    let due = progress.step + u64::from(!progress.unscored);
    let numbers = read_if_present(&samples.join("nearest.json"))?;
    let numbers: Option<Value> = numbers.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let nearest = numbers.and_then(|numbers| numbers["step"].as_u64()).unwrap_or(u64::MAX);
    for entry in fs::read_dir(samples).map_err(TrainError::read(samples))? {
        let path = entry.map_err(TrainError::read(samples))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let step = if name.starts_with("nearest.") { Some(nearest) } else { step_of(&name) };
        if step.is_some_and(|step| step >= due) {
            fs::remove_file(&path).map_err(TrainError::write(&path))?;
        }
    }
    Ok(())
}

/// The step of `step-<step>-….png` or `points-<step>.json`.
fn step_of(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("step-").or_else(|| name.strip_prefix("points-"))?;
    let whole = name.ends_with(".png") || name.ends_with(".json");
    rest.split(['-', '.']).next()?.parse().ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_later_steps_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let files = |names: &[&str]| {
            for name in names {
                fs::write(folder.path().join(name), "").unwrap();
            }
        };
        let left = || {
            let mut names: Vec<String> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        files(&["real.png", "step-00000020-ema-0-nfe-1.png", "points-00000040.json"]);
        files(&["step-00000040-ema-0-nfe-1.png", "step-00000060-ema-1-nfe-2.png"]);
        let progress = |unscored| Progress { step: 40, unscored, ..Progress::default() };
        remove_later_samples(folder.path(), &progress(false)).unwrap();
        let kept = ["points-00000040.json", "real.png", "step-00000020-ema-0-nfe-1.png"];
        assert_eq!(left(), [&kept[..], &["step-00000040-ema-0-nfe-1.png"]].concat());
        remove_later_samples(folder.path(), &progress(true)).unwrap();
        assert_eq!(left(), ["real.png", "step-00000020-ema-0-nfe-1.png"]);
        remove_later_samples(folder.path(), &Progress::default()).unwrap();
        assert_eq!(left(), ["real.png"]);
    }

    #[test]
    fn nearest_pictures_are_of_a_step_that_the_run_has_come_to() {
        let folder = tempfile::tempdir().unwrap();
        let stay = |numbers: Option<&str>, step| {
            fs::write(folder.path().join("nearest.png"), "").unwrap();
            if let Some(numbers) = numbers {
                fs::write(folder.path().join("nearest.json"), numbers).unwrap();
            }
            let progress = Progress { step, ..Progress::default() };
            remove_later_samples(folder.path(), &progress).unwrap();
            let there =
                ["png", "json"].map(|ending| folder.path().join(format!("nearest.{ending}")).exists());
            assert!(numbers.is_none() || there[0] == there[1]);
            there[0]
        };
        assert!(stay(Some("{\"step\":40}"), 40));
        assert!(stay(Some("{\"step\":40}"), 60));
        assert!(!stay(Some("{\"step\":40}"), 20));
        // Older versions told no step.
        assert!(!stay(Some("{\"nfe\":1}"), 60));
        assert!(!stay(None, 60));
    }
}
