//! The binary as a user meets it.

mod bad_input;
mod classifier;
mod config;
mod damage;
mod data;
mod eval;
mod export;
mod failures;
mod jobs;
mod listing;
mod onnx;
mod parity;
mod resume;
#[cfg(target_os = "linux")]
mod terminal;

use assert_cmd::Command;
use std::path::Path;

/// The binary in a folder of its own.
fn meanflow(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("meanflow").expect("the binary under test");
    command.current_dir(folder);
    command
}

/// A run that takes a second or two.
const SMALL: &str = r#"
name = "small"
[data.two-moons]
points = 2000
[net.mlp]
width = 16
depth = 1
[objective.meanflow]
share = 0.5
[train]
batch = 32
steps = 400
checkpoint = "20 steps"
[[ema]]
decay = 0.99
[eval]
every = "100 steps"
samples = 100
nfe = [1, 2]
metrics = ["energy"]
"#;

/// Writes the small experiment with `old` replaced by `new`.
fn write_small(folder: &Path, old: &str, new: &str) {
    assert!(SMALL.contains(old), "{old}");
    std::fs::write(folder.join("x.toml"), SMALL.replacen(old, new, 1)).expect("a writable folder");
}
