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

/// Replaces `path` by what `write` writes to [`part_of`] it, so that a reader, or the next start after a power cut, sees the old
/// file or the new one: the bytes are on the disk before the name is changed, and the change is before this returns. For folders
/// that one process writes to at a time.
///
/// # Errors
/// Those of `write` and of the file system; the old file is untouched then, and nothing is left beside it.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    by_way_of(&part_of(path), path, write)
}

/// The same for a file that several processes may write at once, such as one of a cache: each has its own place to write to, and the
/// last one stays.
///
/// # Errors
/// Those of [`replace`].
pub fn replace_shared(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    by_way_of(&part_of(&with_ending(path, &format!(".{}", std::process::id()))), path, write)
}

fn by_way_of(part: &Path, path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let written = write(part).and_then(|()| put(part, path));
    if written.is_err() {
        // The half-written file is of no use to anybody and may be what fills the disk.
        let _ = fs::remove_file(part);
    }
    written
}

fn put(part: &Path, path: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, path)?;
    sync_parent(path)
}

/// Where [`replace`] has a file written before it is renamed: its name and `.part`.
pub fn part_of(path: &Path) -> PathBuf {
    with_ending(path, ".part")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
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
        replace_shared(&path, |part| fs::write(part, "other")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "other");
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
