//! Files that readers read, from the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Target;

/// A file that is read without an error, to be changed.
pub struct Seed {
    /// Its path, as the reader sees it: within the folder that it comes from.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The seeds of a target, in the order of their names.
pub(crate) fn seeds(target: &Target) -> Vec<Seed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seeds = Vec::new();
    for path in target.seeds.iter().map(|path| root.join(path)) {
        let from = if path.is_dir() { path.clone() } else { path.parent().unwrap_or(&path).to_owned() };
        for file in files(&path) {
            let name = file.strip_prefix(&from).unwrap_or(&file).to_string_lossy().into_owned();
            let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            seeds.push(Seed { name, bytes });
        }
    }
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    seeds
}

/// A file, or those below a folder.
fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = path.read_dir() else { return vec![path.to_owned()] };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| files(path)).collect()
}
