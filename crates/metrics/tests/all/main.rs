//! The crate from outside: reference numbers, files, scores by name.

mod edges;
mod files;
mod measures;
mod parity;
mod reference;

use std::path::{Path, PathBuf};

/// A file in `tests/data`.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}
