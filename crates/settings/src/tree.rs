//! The document as a tree in which every value remembers its place, and how trees are laid over each other.

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
pub fn table(source: &Arc<Source>, table: &DeTable) -> Table {
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

/// The tables that hold one kind each, so that `[net.dit]` and `[net.mlp]` exclude each other: dotted paths in which `*`
/// is any key.
#[derive(Clone, Copy, Debug)]
pub struct Kinds(pub &'static [&'static str]);

impl Kinds {
    /// Whether the table at `path` holds one kind.
    pub fn at<S: AsRef<str>>(self, path: &[S]) -> bool {
        let matches = |pattern: &str| {
            let parts: Vec<&str> = pattern.split('.').collect();
            parts.len() == path.len()
                && parts.iter().zip(path).all(|(part, key)| *part == "*" || *part == key.as_ref())
        };
        self.0.iter().any(|pattern| matches(pattern))
    }
}

/// Lays `over` on `base`: tables merge key by key, anything else is replaced, and a table of a kind replaces another kind
/// as a whole.
pub fn merge(base: &mut Table, over: Table, kinds: Kinds) {
    merge_at(base, over, kinds, &mut Vec::new());
}

fn merge_at(base: &mut Table, over: Table, kinds: Kinds, path: &mut Vec<String>) {
    if kinds.at(path) && !over.is_empty() {
        base.retain(|kind, _| over.contains_key(kind));
    }
    for (key, node) in over {
        match (base.get_mut(&key).map(|below| &mut below.value), node.value) {
            (Some(Value::Table(below)), Value::Table(above)) => {
                path.push(key);
                merge_at(below, above, kinds, path);
                path.pop();
            }
            (_, value) => {
                base.insert(key, Node { value, ..node });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Table {
        let source = Arc::new(Source {
            name: "test".into(),
            text: text.into(),
            folder: "".into(),
            is_override: false,
        });
        table(&source, DeTable::parse(text).unwrap().get_ref())
    }

    fn show(table: &Table) -> String {
        let entries = table.iter().map(|(key, node)| match &node.value {
            Value::Table(inner) => format!("{key}={{{}}}", show(inner)),
            _ => format!("{key}={}", &node.place.source.text[node.place.span.clone()]),
        });
        entries.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn merging() {
        for (base, over, expected) in [
            ("a=1\nb=2", "b=3\nc=4", "a=1 b=3 c=4"),
            ("t={a=1,b=2}", "t.b=3", "t={a=1 b=3}"),
            ("t={a=1}", "t=2", "t=2"),
            ("t=2", "t={a=1}", "t={a=1}"),
            ("l=[1,2]", "l=[3]", "l=[3]"),
            ("net.dit={patch=2,width=8}", "net.dit.width=16", "net={dit={patch=2 width=16}}"),
            ("net.dit={patch=2}", "net.mlp={width=3}", "net={mlp={width=3}}"),
            ("net.dit={patch=2}", "net={}", "net={dit={patch=2}}"),
            (
                "objective.meanflow={share=0.5,time={logit-normal={mean=1,std=2}}}",
                "objective.meanflow.time={logit-normal={mean=3}}",
                "objective={meanflow={share=0.5 time={logit-normal={mean=3 std=2}}}}",
            ),
            (
                "objective.meanflow={share=0.5,time={logit-normal={mean=1}}}",
                "objective.meanflow.time={uniform={}}",
                "objective={meanflow={share=0.5 time={uniform={}}}}",
            ),
        ] {
            let mut tree = parse(base);
            merge(&mut tree, parse(over), Kinds(&["net", "objective", "objective.*.time"]));
            assert_eq!(show(&tree), expected, "{base} <- {over}");
        }
    }
}
