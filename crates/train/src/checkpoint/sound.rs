//! Which checkpoint a run goes on from: the newest that is whole and agrees with its name, its log and the configuration.

use super::{Checkpoint, Progress, Stored, list, newest};
use crate::TrainError;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// What a checkpoint must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Updates of the configuration.
    pub steps: u64,
    /// Images of an update.
    pub batch: u64,
    /// The log of the run.
    pub log: &'a Path,
}

/// Damaged checkpoints that are newer than the one which is used.
#[derive(Clone, Debug, PartialEq)]
pub struct SetAside {
    /// Where each is now, and what is wrong with it, the newest first.
    pub files: Vec<(PathBuf, String)>,
    /// Steps that are lost with them.
    pub lost: u64,
}

/// Checks what a checkpoint says of itself against its run.
///
/// # Errors
/// [`TrainError::Checkpoint`] if it does not fit, [`TrainError::LogTooShort`], [`TrainError::Read`].
pub fn check(path: &Path, progress: &Progress, expected: &Expected) -> Result<(), TrainError> {
    let broken = |reason: String| Err(TrainError::Checkpoint { path: path.to_owned(), reason });
    let Progress { step, images, log_bytes, .. } = *progress;
    let Expected { steps, batch, log } = *expected;
    if step > steps {
        return broken(format!("it is of step {step}, and the run has {steps}"));
    }
    if step.checked_mul(batch) != Some(images) {
        return broken(format!("it counts {images} images in {step} steps of {batch}"));
    }
    let found = fs::metadata(log).map_or(0, |metadata| metadata.len());
    if found < log_bytes {
        return Err(TrainError::LogTooShort { path: log.to_owned(), found, expected: log_bytes });
    }
    if log_bytes == 0 {
        return Ok(());
    }
    let tail = tail(log, log_bytes).map_err(TrainError::read(log))?;
    if tail.last() != Some(&b'\n') {
        return broken(format!("it ends at byte {log_bytes} of the log, in the middle of a line"));
    }
    match last_logged(&tail) {
        Some(logged) if logged.checked_add(progress.window.len() as u64) != Some(step) => broken(format!(
            "it is of step {step} and holds the values of {} steps, but its log ends at step {logged}",
            progress.window.len()
        )),
        _ => Ok(()),
    }
}

/// The last bytes of the first `length` of a file: more than a line, and not the whole of a long log.
fn tail(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let from = length.saturating_sub(1 << 20);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The step of the last training line.
fn last_logged(tail: &[u8]) -> Option<u64> {
    tail.rsplit(|byte| *byte == b'\n').find_map(|line| {
        let line: Value = serde_json::from_slice(line).ok()?;
        (line["kind"] == "train").then(|| line["step"].as_u64()).flatten()
    })
}

/// The newest checkpoint in a folder that can be gone on from, if there is any checkpoint. Damaged ones that are newer get
/// the ending `.damaged`.
///
/// # Errors
/// What is wrong with the newest if none is usable, and then nothing is renamed; [`TrainError::Read`], [`TrainError::Write`].
pub fn newest_sound(
    folder: &Path,
    expected: &Expected,
) -> Result<Option<(Checkpoint, SetAside)>, TrainError> {
    let mut damaged = Vec::new();
    for (step, path) in list(folder)?.into_iter().rev() {
        let sound = Stored::open(&path).and_then(|stored| {
            check(&path, &stored.progress, expected)?;
            stored.load("")
        });
        match sound {
            Ok(checkpoint) => {
                let aside = set_aside(damaged, checkpoint.progress.step, expected.steps)?;
                return Ok(Some((checkpoint, aside)));
            }
            Err(error @ (TrainError::Checkpoint { .. } | TrainError::LogTooShort { .. })) => {
                damaged.push((step, path, error));
            }
            Err(error) => return Err(error),
        }
    }
    match damaged.into_iter().next() {
        None => Ok(None),
        Some((_, _, TrainError::Checkpoint { path, reason })) => {
            let help = "and no older one is usable; to begin again, move the run folder away";
            Err(TrainError::Checkpoint { path, reason: format!("{reason}; {help}") })
        }
        Some((_, _, error)) => Err(error),
    }
}

/// Whether the newest checkpoint of a run, if it has one, is not what was written.
///
/// # Errors
/// [`TrainError::Read`].
pub fn newest_is_damaged(run: &Path) -> Result<bool, TrainError> {
    let newest = match newest(run) {
        Err(TrainError::NoRun { .. }) => return Ok(false),
        newest => newest?,
    };
    match Stored::open(&newest).and_then(Stored::compare) {
        Err(TrainError::Checkpoint { .. }) => Ok(true),
        compared => compared.map(|()| false),
    }
}

/// Renames damaged checkpoints, now that there is one to use in their place.
fn set_aside(
    damaged: Vec<(u64, PathBuf, TrainError)>,
    used: u64,
    steps: u64,
) -> Result<SetAside, TrainError> {
    let mut aside = SetAside { files: Vec::new(), lost: 0 };
    for (step, path, error) in damaged {
        // A name that no step of this run has tells of no lost steps.
        if step <= steps {
            aside.lost = aside.lost.max(step.saturating_sub(used));
        }
        let mut name = path.clone().into_os_string();
        name.push(".damaged");
        fs::rename(&path, &name).map_err(TrainError::write(&path))?;
        let reason = match error {
            TrainError::Checkpoint { reason, .. } => reason,
            error => error.to_string(),
        };
        aside.files.push((name.into(), reason));
    }
    Ok(aside)
}
