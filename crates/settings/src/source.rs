//! Where a value came from: a file or a `--set` argument, and the bytes in it.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// A text that settings were read from.
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
    /// Where its lines end, counted when it is first asked for: a long file is asked for each of its keys.
    ends: OnceLock<Vec<usize>>,
}

/// A range of bytes of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// The bytes.
    pub span: Range<usize>,
}

impl Source {
    /// The text of a file in `folder`.
    pub fn file(name: impl Into<String>, text: impl Into<String>, folder: impl Into<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            folder: folder.into(),
            is_override: false,
            ends: OnceLock::new(),
        })
    }

    /// The text of a `--set` argument, given in `folder`.
    pub fn set(text: impl Into<String>, folder: impl Into<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            name: "--set".to_owned(),
            text: text.into(),
            folder: folder.into(),
            is_override: true,
            ends: OnceLock::new(),
        })
    }

    /// The line, counted from 1, that the byte at this offset stands in.
    fn line(&self, offset: usize) -> usize {
        let ends = self.ends.get_or_init(|| self.text.match_indices('\n').map(|(end, _)| end).collect());
        1 + ends.partition_point(|end| *end < offset)
    }
}

impl Place {
    /// Line of the first byte, counted from 1.
    pub fn line(&self) -> usize {
        self.source.line(self.span.start)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let source = Source::file("a.toml", "a\n\nb é\nc", "");
        for (offset, _) in source.text.char_indices() {
            let line = 1 + source.text[..offset].matches('\n').count();
            assert_eq!(source.line(offset), line, "{offset}");
        }
    }
}
