//! `--set` arguments.

use crate::{
    layout::Kinds,
    parse,
    problem::{Problem, Where},
    scalar::quote,
    source::{Place, Source},
    tree::{Node, Table, Value},
};

/// One `--set a.b=value`.
pub(crate) struct Override {
    /// The dotted key, down to the first value or the first table with several keys.
    pub path: Vec<String>,
    /// What it says.
    pub table: Table,
}

impl Override {
    /// The value is TOML; a bare word that is not is a string.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let folder = std::env::current_dir().unwrap_or_default();
        let given = Source::set(text, &folder);
        let whole = Place { source: given.clone(), span: 0..text.len() };
        let Some((key, value)) = text.split_once('=') else {
            return Err(Problem::new(whole, "expected `key=value`").help("for example --set train.steps=100"));
        };
        let is_toml = value.trim().is_empty() || value.trim().starts_with(['"', '\'', '[', '{']);
        let table = match parse::table(&given) {
            Err(_) if !is_toml => {
                parse::table(&Source::set(format!("{key}={}", quote(value.trim())), &folder))?
            }
            parsed => parsed?,
        };
        let path = path_of(&table);
        match path.first().map(String::as_str) {
            _ if table.len() != 1 => Err(Problem::new(whole, "expected one `key=value`")),
            Some(key @ ("extends" | "variant")) => {
                Err(Problem::new(whole, format!("`{key}` can only be written in the file")))
            }
            _ => Ok(Self { path, table }),
        }
    }

    /// Whether it is about a kind that a variant with these changes does not have, because it chose another itself.
    pub fn is_elsewhere(&self, changes: &Table, kinds: Kinds) -> bool {
        let [section, kind, ..] = &self.path[..] else { return false };
        if !kinds.at(&[section]) {
            return false;
        }
        match changes.get(section).map(|node| &node.value) {
            Some(Value::Table(chosen)) => !chosen.is_empty() && !chosen.contains_key(kind),
            _ => false,
        }
    }

    /// Whether it sets a key of a kind that this variant has, or `None` if it is about no key of a kind.
    pub fn fits(&self, variant: &Table, kinds: Kinds) -> Option<bool> {
        let [section, kind, _, ..] = &self.path[..] else { return None };
        let has = |node: &Node| matches!(&node.value, Value::Table(chosen) if chosen.contains_key(kind));
        kinds.at(&[section]).then(|| variant.get(section).is_some_and(has))
    }

    /// Where its key is written.
    pub fn place(&self) -> Where {
        self.table.values().next().map_or(Where::Nowhere, |node| Where::from(&node.key))
    }
}

/// The dotted key of a table with one key.
fn path_of(table: &Table) -> Vec<String> {
    let mut path = Vec::new();
    let mut table = table;
    while let Some((key, node)) = table.iter().next().filter(|_| table.len() == 1) {
        path.push(key.clone());
        match &node.value {
            Value::Table(inner) => table = inner,
            _ => break,
        }
    }
    path
}
