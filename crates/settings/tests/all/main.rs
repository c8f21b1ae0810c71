//! Behaviour of the crate through its public interface, in one binary.

mod choices;
mod documents;
mod many;
mod own;

use meanflow_settings::{ConfigError, Document, Layout, Reader, Resolved};

/// Reads a text by itself.
pub fn read<T>(text: &str, read: impl Fn(&mut Reader) -> T) -> Result<(T, Resolved), ConfigError> {
    Document::of_text("a.toml", text, Layout::of("test"))?.read(|root, _| Some(read(root))).only()
}

/// The first line of every problem of a text, and its help.
pub fn faults<T>(text: &str, reader: impl Fn(&mut Reader) -> T) -> Vec<String> {
    let error = read(text, reader).map(|_| ()).expect_err(text);
    error.problems.iter().map(|p| format!("{} ({})", p.message, p.help.as_deref().unwrap_or("-"))).collect()
}
