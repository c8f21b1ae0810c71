//! A place for files until all of them are there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A temporary folder on the file system of the target, removed with what is left in it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one inside `folder`, named after what it is for.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new(folder: &Path, purpose: &str) -> io::Result<Self> {
        let path = folder.join(format!(".{purpose}-{}", std::process::id()));
        if path.exists() {
            // Left by a killed process that had our id.
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the files that were wanted have been moved away.
        let _ = fs::remove_dir_all(&self.0);
    }
}
