//! Writing aside and renaming.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Replaces `path` by `bytes`, as [`replace`] does.
///
/// # Errors
/// Those of writing; the old file is untouched then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, |part| File::create(part)?.write_all(bytes))
}

/// Replaces `path` by what `write` writes to another path, so that a reader, or the next start after a power cut, sees the old
/// file or the new one: the bytes are on the disk before the name is changed, and the change is before this returns.
///
/// The other path ends in `.part`, lies in the same folder and has the process's number in its name, so that two processes may
/// replace one file.
///
/// # Errors
/// Those of `write` and of the file system; the old file is untouched then, and nothing is left beside it.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let part = part_of(path);
    let written = write(&part).and_then(|()| put(&part, path));
    if written.is_err() {
        // The half-written file is of no use to anybody and may be what fills the disk.
        let _ = fs::remove_file(&part);
    }
    written
}

fn put(part: &Path, path: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, path)?;
    sync_parent(path)
}

/// Where a file is written before it is renamed.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// Makes a rename in the folder of `path` durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"old").unwrap();
        let failed = replace(&path, |part| {
            fs::write(part, "half")?;
            assert_eq!(fs::read_to_string(&path)?, "old");
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        write(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("none/x"), b"x").is_err());
    }
}
