//! Lists of patterns.

use crate::{
    scalar::{Scalar, Wrong, quote},
    tree::{Node, Value},
};

/// A list of patterns such as `*.bias`, which may be empty.
pub struct Patterns;

impl Scalar for Patterns {
    type Out = Vec<String>;

    fn read(&self, node: &Node) -> Result<Vec<String>, Wrong> {
        let Value::Array(items) = &node.value else { return Err(Wrong::Type("a list of patterns".into())) };
        let pattern = |item: &Node| match &item.value {
            Value::String(text) if text.is_empty() => Err(Wrong::Must("not hold an empty pattern".into())),
            Value::String(text) => Ok(text.clone()),
            _ => Err(Wrong::Type("a list of patterns, each a string".into())),
        };
        items.iter().map(pattern).collect()
    }

    fn show(&self, patterns: &Vec<String>) -> String {
        format!("[{}]", patterns.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", "))
    }

    fn blank(&self) -> Vec<String> {
        Vec::new()
    }
}
