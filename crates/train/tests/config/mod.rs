//! Experiment files.

mod documented;
mod experiments;
mod merging;
mod problems;
mod resolving;

use meanflow_train::config::{Comparison, ConfigError};
use std::path::Path;
use tempfile::TempDir;

/// A small valid file; tests change it.
pub const SMALL: &str = r#"[data.two-moons]

[net.mlp]
width = 16
depth = 2

[objective.meanflow]

[train]
batch = 32
steps = 100
"#;

/// The quickstart as the design shows it, without the folder of its data.
pub const IMAGES: &str = r#"[data.fashion-mnist]
flip = true

[net.dit]
patch = 7
width = 128
depth = 4
heads = 4

[objective.meanflow]
share = 0.5

[train]
batch = 64
steps = 100
"#;

/// Loads `text` as `experiment.toml` of a fresh folder.
pub fn load(text: &str, overrides: &[&str]) -> Result<Comparison, ConfigError> {
    let folder = folder(&[("experiment.toml", text.as_bytes())]);
    load_in(&folder, "experiment.toml", overrides)
}

/// A fresh folder with these files.
pub fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

pub fn load_in(folder: &TempDir, file: &str, overrides: &[&str]) -> Result<Comparison, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
    Comparison::load(&folder.path().join(file), &overrides)
}

/// The text of an error of a file in `folder`, whose path is cut off.
pub fn message(folder: &Path, error: &ConfigError) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "")
}
