//! What a type of value is: how it is read, checked and written back.

use crate::tree::{Node, Value};

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Another type was expected, named with its article.
    Type(String),
    /// The value must be something that it is not; "must be …".
    Must(String),
    /// The value is not one of these names.
    Name(Vec<String>),
    /// The value is unusable for this reason, and this may help.
    Because(String, String),
}

/// A type of value. What reads keys of its own type of value implements this for it.
pub trait Scalar {
    /// What is read.
    type Out;

    /// What is written there, in a few words for a list of keys: "a number above 0".
    fn expected(&self) -> String;

    /// Reads a value.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn read(&self, node: &Node) -> Result<Self::Out, Wrong>;

    /// The TOML text that reads back as the same value.
    fn show(&self, value: &Self::Out) -> String;

    /// Stands in for a value that could not be read, so that reading can go on and find the other problems.
    fn blank(&self) -> Self::Out;

    /// Whether it names a file or a folder.
    fn is_path(&self) -> bool {
        false
    }
}

/// Quotes a string for TOML.
pub fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub struct Flag;

impl Scalar for Flag {
    type Out = bool;

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn read(&self, node: &Node) -> Result<bool, Wrong> {
        match node.value {
            Value::Boolean(flag) => Ok(flag),
            _ => Err(Wrong::Type("true or false".into())),
        }
    }

    fn show(&self, flag: &bool) -> String {
        flag.to_string()
    }

    fn blank(&self) -> bool {
        false
    }
}

/// Another type, or this word for "none", so that every key has a value that can be written down.
#[derive(Clone, Debug)]
pub struct Or<S>(pub &'static str, pub S);

impl<S: Scalar> Scalar for Or<S> {
    type Out = Option<S::Out>;

    fn expected(&self) -> String {
        format!("{} or {:?}", self.1.expected(), self.0)
    }

    fn read(&self, node: &Node) -> Result<Option<S::Out>, Wrong> {
        match &node.value {
            Value::String(word) if word == self.0 => Ok(None),
            _ => match self.1.read(node) {
                Err(Wrong::Type(expected)) => Err(Wrong::Type(format!("{expected} or {:?}", self.0))),
                other => other.map(Some),
            },
        }
    }

    fn show(&self, value: &Option<S::Out>) -> String {
        value.as_ref().map_or_else(|| quote(self.0), |value| self.1.show(value))
    }

    fn blank(&self) -> Option<S::Out> {
        None
    }

    fn is_path(&self) -> bool {
        self.1.is_path()
    }
}
