//! Run folders that a path stands for.

use anyhow::Context;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Whether the folder is that of one variant.
pub fn is_run(path: &Path) -> bool {
    path.join("config.toml").is_file()
}

/// The folder itself if it is a run, else the runs in it, in the order in which they were started.
///
/// # Errors
/// If it cannot be listed.
pub fn within(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if is_run(path) {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let folder = entry?.path();
        if let Ok(metadata) = fs::metadata(folder.join("config.toml")) {
            found.push((metadata.modified()?, folder));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, folder)| folder).collect())
}
