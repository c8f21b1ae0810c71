//! What is fuzzed.

use std::path::Path;

/// A reader and files that it reads.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Files and folders that it reads, by their paths in the repository.
    pub seeds: &'static [&'static str],
    /// Whether the seeds are one input together, of which a file at a time is changed.
    pub together: bool,
    /// What a short test divides its number of inputs by, for a reader that is slow.
    pub cost: u64,
    /// Reads a file, or a folder with all seeds, as far as a user's command would. A refusal is a message, which must hold the path.
    pub read: fn(&Path) -> Result<(), String>,
}
