//! Where a value came from: a file or a `--set` argument, and the bytes in it.

use std::{ops::Range, path::PathBuf, sync::Arc};

/// A text that configuration was read from.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's path as it was given, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The folder that relative paths in this text are relative to.
    pub folder: PathBuf,
    /// Whether this is a command-line override and not a file.
    pub is_override: bool,
}

/// A range of bytes of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// The bytes.
    pub span: Range<usize>,
}

impl Place {
    /// Line of the first byte, counted from 1.
    pub fn line(&self) -> usize {
        1 + self.source.text[..self.span.start].matches('\n').count()
    }

    /// `file:line`, or `--set`.
    pub fn describe(&self) -> String {
        if self.source.is_override {
            self.source.name.clone()
        } else {
            format!("{}:{}", self.source.name, self.line())
        }
    }
}
