//! The mark that the step of a checkpoint is scored: `checkpoints/scored.json`.
//!
//! A step is checkpointed before it is scored, so that nothing which happens to the scores costs training; the checkpoint
//! says that scores are due, and this file, which is small, that they are in the log.

use crate::{
    TrainError,
    checkpoint::Progress,
    folder::{read_if_present, write_atomic},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The newest step that was scored.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Scored {
    step: u64,
    /// Bytes of the log with the scores.
    log_bytes: u64,
    /// Scores of the run that could not be computed, up to this step.
    failed_scores: u64,
}

fn file(checkpoints: &Path) -> PathBuf {
    checkpoints.join("scored.json")
}

/// Marks the step of `progress` as scored.
///
/// # Errors
/// [`TrainError::Write`].
pub(crate) fn mark(checkpoints: &Path, progress: &Progress) -> Result<(), TrainError> {
    let Progress { step, log_bytes, failed_scores, .. } = *progress;
    let mark = serde_json::json!(Scored { step, log_bytes, failed_scores });
    write_atomic(&file(checkpoints), format!("{mark}\n").as_bytes())
}

/// `progress` as its checkpoint has it, with the scores that came after it if they are marked and the log, of
/// `log_bytes`, has them.
///
/// # Errors
/// [`TrainError::Read`].
pub(crate) fn with_mark(
    checkpoints: &Path,
    progress: Progress,
    log_bytes: u64,
) -> Result<Progress, TrainError> {
    let mark = read_if_present(&file(checkpoints))?;
    // One that cannot be read is none: the step is scored again.
    let mark: Option<Scored> = mark.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let holds = |mark: &Scored| {
        mark.step == progress.step && (progress.log_bytes..=log_bytes).contains(&mark.log_bytes)
    };
    Ok(match mark.filter(holds) {
        Some(Scored { log_bytes, failed_scores, .. }) if progress.unscored => {
            Progress { unscored: false, log_bytes, failed_scores, ..progress }
        }
        _ => progress,
    })
}

/// Removes the mark, for a run that begins.
///
/// # Errors
/// [`TrainError::Write`].
pub(crate) fn clear(checkpoints: &Path) -> Result<(), TrainError> {
    match fs::remove_file(file(checkpoints)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(TrainError::write(&file(checkpoints))(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(unscored: bool) -> Progress {
        Progress {
            step: 20,
            images: 40,
            secs: 0.0,
            log_bytes: 100,
            window: Vec::new(),
            names: Vec::new(),
            unscored,
            failed_scores: 1,
        }
    }

    #[test]
    fn a_mark_holds_for_its_step_and_a_log_that_has_the_scores() {
        let folder = tempfile::tempdir().unwrap();
        let read = |progress, log_bytes| with_mark(folder.path(), progress, log_bytes).unwrap();
        assert_eq!(read(progress(true), 170), progress(true));
        let scored = Progress { log_bytes: 150, failed_scores: 3, ..progress(false) };
        mark(folder.path(), &scored).unwrap();
        assert_eq!(read(progress(true), 170), scored);
        assert_eq!(read(progress(true), 149), progress(true));
        let later = Progress { log_bytes: 151, ..progress(true) };
        assert_eq!(read(later.clone(), 170), later);
        let other = Progress { step: 40, ..progress(true) };
        assert_eq!(read(other.clone(), 170), other);
        assert_eq!(read(progress(false), 170), progress(false));
        fs::write(file(folder.path()), "{\"step\":20,").unwrap();
        assert_eq!(read(progress(true), 170), progress(true));
        clear(folder.path()).unwrap();
        clear(folder.path()).unwrap();
    }

    #[test]
    fn a_checkpoint_without_the_mark_was_scored_before_it_was_written() {
        let old = r#"{"step":20,"images":40,"secs":0.0,"log_bytes":100,"window":[]}"#;
        let read: Progress = serde_json::from_str(old).unwrap();
        assert!(!read.unscored && read.failed_scores == 0);
    }
}
