//! The document as a tree in which every value remembers its place.

use crate::source::{Place, Source};
use std::{collections::BTreeMap, sync::Arc};
use toml::de::{DeTable, DeValue};

/// Keys and values of a table.
pub type Table = BTreeMap<String, Node>;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Of the value; of a table written under a header, the header.
    pub place: Place,
    /// Of the key.
    pub key: Place,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// Clamped to the ends of `i128`, far outside what any key accepts.
    Integer(i128),
    /// A number with a point, an exponent or a name.
    Float(f64),
    /// A text.
    String(String),
    /// A date or a time, which no key accepts.
    Datetime,
    /// A list.
    Array(Vec<Node>),
    /// Keys with values.
    Table(Table),
}

impl Value {
    /// With its article, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::Datetime => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// The tree of a parsed document.
pub(crate) fn table(source: &Arc<Source>, table: &DeTable) -> Table {
    let place = |span| Place { source: source.clone(), span };
    table
        .iter()
        .map(|(key, value)| {
            let node = Node {
                value: self::value(source, value.get_ref()),
                place: place(value.span()),
                key: place(key.span()),
            };
            (key.get_ref().to_string(), node)
        })
        .collect()
}

fn value(source: &Arc<Source>, value: &DeValue) -> Value {
    match value {
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Integer(integer) => {
            let clamped = if integer.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
            Value::Integer(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(clamped))
        }
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| {
                    let place = Place { source: source.clone(), span: item.span() };
                    Node { value: self::value(source, item.get_ref()), key: place.clone(), place }
                })
                .collect(),
        ),
        DeValue::Table(inner) => Value::Table(table(source, inner)),
    }
}
