//! The run folder: atomic files, the log, and the operating system's lock on it.

use crate::TrainError;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// A locked run folder; the lock ends with the value (or the process, however it ends).
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if there is none and locks it.
    ///
    /// # Errors
    /// [`TrainError::Locked`] if another process has it; [`TrainError::Write`] if it cannot be made.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        for folder in [path.to_owned(), path.join("checkpoints"), path.join("samples")] {
            fs::create_dir_all(&folder).map_err(TrainError::write(&folder))?;
        }
        let file = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&file);
        let lock = lock.map_err(TrainError::write(&file))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(TrainError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(TrainError::write(&file)(error)),
        }
    }

    /// A path inside the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a process is at work in a run folder, which is asked and not kept.
///
/// # Errors
/// [`TrainError::Read`].
pub(crate) fn in_use(run: &Path) -> Result<bool, TrainError> {
    let file = run.join("lock");
    let lock = match File::open(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        lock => lock.map_err(TrainError::read(&file))?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(TrainError::read(&file)(error)),
    }
}

/// Replaces `path` by `bytes` so that a reader, or the next start after a power cut, sees the old file or the new one.
///
/// # Errors
/// [`TrainError::Write`]; the old file is untouched then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    meanflow_files::write(path, bytes).map_err(TrainError::write(path))
}

/// As [`write_atomic`], and on a full disk over the old file, whose blocks are there already.
///
/// # Errors
/// [`TrainError::Write`] if that fails, too.
pub(crate) fn write_in_need(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    write_atomic(path, bytes).or_else(|_| {
        let over = || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.write_all(bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync_all()
        };
        over().map_err(TrainError::write(path))
    })
}

/// The run's log, one JSON object a line.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Log {
    /// Opens the log and cuts it to `length` bytes, the length a checkpoint recorded: later lines, also a torn one, belong
    /// to steps that will be run again.
    ///
    /// # Errors
    /// [`TrainError::Write`], or [`TrainError::LogTooShort`] if lines that the checkpoint knew are gone.
    pub fn open(path: &Path, length: u64) -> Result<Self, TrainError> {
        let open = || -> io::Result<(File, u64)> {
            let mut file =
                OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
            let found = file.metadata()?.len();
            if found >= length {
                file.set_len(length)?;
                file.seek(SeekFrom::End(0))?;
            }
            Ok((file, found))
        };
        let (file, found) = open().map_err(TrainError::write(path))?;
        if found < length {
            return Err(TrainError::LogTooShort { path: path.to_owned(), found, expected: length });
        }
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// Appends one line.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn append(&mut self, line: &serde_json::Value) -> Result<(), TrainError> {
        self.still_there()?;
        let text = format!("{line}\n");
        self.file.write_all(text.as_bytes()).map_err(TrainError::write(&self.path))?;
        self.length += text.len() as u64;
        Ok(())
    }

    /// Bytes so far, on the disk when this returns.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn sync(&mut self) -> Result<u64, TrainError> {
        self.file.sync_all().map_err(TrainError::write(&self.path))?;
        self.still_there()?;
        Ok(self.length)
    }

    /// Whether the file that is written to is the one that a reader finds, with all that was written.
    fn still_there(&self) -> Result<(), TrainError> {
        let found = match fs::metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(TrainError::LogLost { path: self.path.clone(), what: "deleted" });
            }
            Err(error) => return Err(TrainError::read(&self.path)(error)),
        };
        let own = self.file.metadata().map_err(TrainError::read(&self.path))?;
        if !same_file(&found, &own) {
            return Err(TrainError::LogLost { path: self.path.clone(), what: "replaced" });
        }
        if own.len() != self.length {
            return Err(TrainError::LogLost { path: self.path.clone(), what: "changed" });
        }
        Ok(())
    }
}

#[cfg(unix)]
fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
fn same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// The whole of a file, or `None` if there is none.
///
/// # Errors
/// [`TrainError::Read`].
pub fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, TrainError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TrainError::read(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meanflow_files::part_of;

    #[test]
    fn a_folder_is_locked_once() {
        let root = tempfile::tempdir().unwrap();
        let first = Folder::open(root.path()).unwrap();
        assert!(matches!(Folder::open(root.path()), Err(TrainError::Locked(_))));
        drop(first);
        Folder::open(root.path()).unwrap();
    }

    /// Writes to `/dev/full` fail as on a full disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn on_a_full_disk_there_is_room_for_a_status() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("status.json");
        fs::write(&path, "{\"state\":\"running\",\"step\":100}").unwrap();
        std::os::unix::fs::symlink("/dev/full", part_of(&path)).unwrap();
        // The first attempt removes the link, as it would half a file.
        assert!(write_atomic(&path, b"{}").is_err());
        std::os::unix::fs::symlink("/dev/full", part_of(&path)).unwrap();
        write_in_need(&path, b"{\"state\":\"failed\"}").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"state\":\"failed\"}");
    }

    #[test]
    fn the_log_is_cut_to_the_checkpoint() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("metrics.jsonl");
        let mut log = Log::open(&path, 0).unwrap();
        log.append(&serde_json::json!({"step": 1})).unwrap();
        let length = log.sync().unwrap();
        log.append(&serde_json::json!({"step": 2})).unwrap();
        drop(log);
        fs::write(&path, [fs::read(&path).unwrap(), b"{\"ste".to_vec()].concat()).unwrap();
        let mut log = Log::open(&path, length).unwrap();
        log.append(&serde_json::json!({"step": 2})).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"step\":1}\n{\"step\":2}\n");
        assert!(matches!(Log::open(&path, 1000), Err(TrainError::LogTooShort { found: 22, .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_log_that_is_taken_away_is_noticed() {
        type Harm = fn(&Path);
        let harms: [(&str, Harm); 4] = [
            ("deleted", |path| fs::remove_file(path).unwrap()),
            ("deleted", |path| fs::rename(path, path.with_extension("moved")).unwrap()),
            ("replaced", |path| {
                fs::copy(path, path.with_extension("copy")).unwrap();
                fs::rename(path.with_extension("copy"), path).unwrap();
            }),
            ("changed", |path| fs::write(path, "").unwrap()),
        ];
        for (words, harm) in harms {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("metrics.jsonl");
            let mut log = Log::open(&path, 0).unwrap();
            log.append(&serde_json::json!({"step": 1})).unwrap();
            harm(&path);
            let said = log.append(&serde_json::json!({"step": 2})).unwrap_err().to_string();
            assert!(said.contains("metrics.jsonl") && said.contains(words), "{said}");
            assert!(log.sync().is_err());
        }
    }
}
