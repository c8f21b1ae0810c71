//! Experiment files.

mod constraints;
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

/// The message that `text` gets, with `overrides`.
pub fn refused(text: &[u8], overrides: &[&str]) -> String {
    let folder = folder(&[("experiment.toml", text)]);
    match load_in(&folder, "experiment.toml", overrides) {
        Ok(_) => panic!("accepted:\n{}\n{overrides:?}", String::from_utf8_lossy(text)),
        Err(error) => message(folder.path(), &error),
    }
}

/// `text` with `from` replaced.
pub fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the text");
    text.replacen(from, to, 1)
}

/// The whole message.
#[track_caller]
pub fn check(text: impl AsRef<[u8]>, overrides: &[&str], expected: &str) {
    let refused = refused(text.as_ref(), overrides);
    assert_eq!(refused, expected.trim_matches('\n'), "\n{refused}");
}

/// The only problem: its first line, and its help if there is one.
#[track_caller]
pub fn says(text: impl AsRef<[u8]>, overrides: &[&str], expected: &str, help: &str) {
    let refused = refused(text.as_ref(), overrides);
    assert_eq!(refused.lines().next(), Some(format!("error: {expected}").as_str()), "\n{refused}");
    assert_eq!(refused.matches("error: ").count(), 1, "\n{refused}");
    let found = refused.split_once("= help: ").map_or("", |(_, help)| help);
    assert_eq!(found, help, "\n{refused}");
}
