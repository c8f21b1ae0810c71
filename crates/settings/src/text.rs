//! Texts, names and paths.

use crate::{
    scalar::{Scalar, Wrong, quote},
    tree::{Node, Value},
    words::or,
};
use std::path::{Component, Path, PathBuf};

/// One of some names, each with what it means. Never empty.
#[derive(Clone, Debug)]
pub struct Choice<T>(pub Vec<(&'static str, T)>);

impl<T: Clone + PartialEq> Scalar for Choice<T> {
    type Out = T;

    fn expected(&self) -> String {
        or(self.0.iter().map(|(name, _)| quote(name)))
    }

    fn read(&self, node: &Node) -> Result<T, Wrong> {
        let Value::String(name) = &node.value else { return Err(Wrong::Type("a string".into())) };
        let found = self.0.iter().find(|(valid, _)| valid == name);
        let names = || self.0.iter().map(|(name, _)| (*name).to_owned()).collect();
        found.map(|(_, value)| value.clone()).ok_or_else(|| Wrong::Name(names()))
    }

    fn show(&self, value: &T) -> String {
        let name = self.0.iter().find(|(_, other)| other == value).map_or("", |(name, _)| name);
        quote(name)
    }

    fn blank(&self) -> T {
        self.0[0].1.clone()
    }
}

/// One of these names.
#[derive(Clone, Debug)]
pub struct Named(pub Vec<String>);

impl Scalar for Named {
    type Out = String;

    fn expected(&self) -> String {
        or(self.0.iter().map(|name| quote(name)))
    }

    fn read(&self, node: &Node) -> Result<String, Wrong> {
        match &node.value {
            Value::String(name) if self.0.contains(name) => Ok(name.clone()),
            Value::String(_) => Err(Wrong::Name(self.0.clone())),
            _ => Err(Wrong::Type("a string".into())),
        }
    }

    fn show(&self, name: &String) -> String {
        quote(name)
    }

    fn blank(&self) -> String {
        String::new()
    }
}

/// A text.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Whether it may be empty.
    pub empty: bool,
}

impl Text {
    /// A text that says something.
    pub const SOME: Self = Self { empty: false };

    /// Any text.
    pub const ANY: Self = Self { empty: true };
}

impl Scalar for Text {
    type Out = String;

    fn expected(&self) -> String {
        "a text".into()
    }

    fn read(&self, node: &Node) -> Result<String, Wrong> {
        match &node.value {
            Value::String(text) if text.is_empty() && !self.empty => Err(Wrong::Must("not be empty".into())),
            Value::String(text) => Ok(text.clone()),
            _ => Err(Wrong::Type("a string".into())),
        }
    }

    fn show(&self, text: &String) -> String {
        quote(text)
    }

    fn blank(&self) -> String {
        String::new()
    }
}

/// A path, relative to the folder of the file it is written in (for `--set`, to the current folder).
#[derive(Clone, Copy, Debug)]
pub struct PathTo;

impl Scalar for PathTo {
    type Out = PathBuf;

    fn expected(&self) -> String {
        "a path".into()
    }

    fn read(&self, node: &Node) -> Result<PathBuf, Wrong> {
        match &node.value {
            Value::String(path) if path.is_empty() => Err(Wrong::Must("not be empty".into())),
            Value::String(path) => Ok(without_dots(&node.place.source.folder.join(path))),
            _ => Err(Wrong::Type("a path".into())),
        }
    }

    fn show(&self, path: &PathBuf) -> String {
        quote(&path.to_string_lossy())
    }

    fn blank(&self) -> PathBuf {
        PathBuf::new()
    }

    fn is_path(&self) -> bool {
        true
    }
}

/// `a/../b` as `b`. The folder of a file is canonical, so this only misjudges links inside the written path.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
