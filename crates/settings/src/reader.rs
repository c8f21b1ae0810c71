//! Reads a table key by key, collects every problem, and writes down every key with its value and where it came from.

use crate::{
    nearest::{nearest, suggest},
    problem::{Problem, Where},
    resolved::{Entry, Key, Origin, Resolved, Section},
    scalar::{Scalar, Wrong},
    tree::{Node, Table, Value},
};
use std::fmt::Display;

/// A table without keys.
pub(crate) static EMPTY: Table = Table::new();

/// What reading a document brings to light.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
    /// Every key with its value and origin.
    pub resolved: Resolved,
    /// Every key that was asked for, if this is to make a list of them.
    pub keys: Option<Vec<Key>>,
    what: &'static str,
}

impl Asked {
    /// Of a file that describes a `what`.
    pub fn new(what: &'static str) -> Self {
        Self { problems: Vec::new(), resolved: Resolved::default(), keys: None, what }
    }
}

/// A table that is being read. Whoever reads asks for each key that there is; a key of the table that nobody asked for is a
/// problem.
pub struct Reader<'r> {
    pub(crate) log: &'r mut Asked,
    pub(crate) table: &'r Table,
    /// What to point at when something is missing.
    pub(crate) place: Where,
    /// Dotted path, empty at the root.
    pub(crate) name: String,
    /// Index of the section of the resolved file that keys are written to.
    pub(crate) section: usize,
    /// Dotted path within that section, with a dot behind.
    pub(crate) prefix: String,
    pub(crate) asked: Vec<&'static str>,
    pub(crate) missing: Vec<&'static str>,
    /// Problems that were there before.
    pub(crate) before: usize,
    /// It is not a table at all, so nothing more is said about what it lacks.
    pub(crate) broken: bool,
}

impl<'r> Reader<'r> {
    /// Reads a whole document with `read`; keys that it does not ask for are problems.
    pub(crate) fn document<T>(
        log: &'r mut Asked,
        table: &'r Table,
        place: Where,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        log.resolved.sections.push(Section { header: String::new(), entries: Vec::new() });
        let reader = Self {
            section: log.resolved.sections.len() - 1,
            before: log.problems.len(),
            log,
            table,
            place,
            name: String::new(),
            prefix: String::new(),
            asked: Vec::new(),
            missing: Vec::new(),
            broken: false,
        };
        reader.all(read)
    }

    /// Every key that `read` asks for, in its order, with its default: `read` is given an empty table. Keys that it asks for
    /// only where others have some value are not among them, but for those of [`off_or`](Self::off_or) and
    /// [`either`](Self::either).
    pub fn keys<T>(read: impl FnOnce(&mut Reader) -> T) -> Vec<Key> {
        let mut log = Asked { keys: Some(Vec::new()), ..Asked::new("file") };
        Reader::document(&mut log, &EMPTY, Where::Nowhere, |root| drop(read(root)));
        log.keys.unwrap_or_default()
    }

    /// A key that must be there.
    pub fn need<S: Scalar>(&mut self, key: &'static str, scalar: S) -> S::Out {
        match self.node(key) {
            Some(node) => self.read(key, node, &scalar),
            None => {
                self.list(key, None, scalar.expected());
                self.missing.push(key);
                scalar.blank()
            }
        }
    }

    /// A key with a default.
    pub fn get<S: Scalar>(&mut self, key: &'static str, scalar: S, default: S::Out) -> S::Out {
        match self.node(key) {
            // A wrong value leaves the default, which is unlikely to give rise to further problems.
            Some(node) => self.try_read(key, node, &scalar).unwrap_or(default),
            None => {
                let shown = scalar.show(&default);
                self.list(key, Some(&shown), scalar.expected());
                self.write(key, shown, None, scalar.is_path());
                default
            }
        }
    }

    /// The raw value of a key whose form is not one of the scalars; the caller reads and records it.
    pub fn node(&mut self, key: &'static str) -> Option<&'r Node> {
        self.asked.push(key);
        self.table.get(key)
    }

    /// Reads a value with `scalar` and records it; a blank one if it is wrong.
    pub fn read<S: Scalar>(&mut self, key: &'static str, node: &Node, scalar: &S) -> S::Out {
        self.try_read(key, node, scalar).unwrap_or_else(|| scalar.blank())
    }

    fn try_read<S: Scalar>(&mut self, key: &'static str, node: &Node, scalar: &S) -> Option<S::Out> {
        match scalar.read(node) {
            Ok(value) => {
                self.write(key, scalar.show(&value), Some(node), scalar.is_path());
                Some(value)
            }
            Err(wrong) => {
                self.wrong(key, node, wrong);
                None
            }
        }
    }

    /// A value that cannot be used.
    pub fn wrong(&mut self, key: &'static str, node: &Node, wrong: Wrong) {
        let path = self.path(key);
        let found = written(node);
        let problem = match wrong {
            Wrong::Type(expected) => {
                let found = node.value.type_name();
                Problem::new(&node.place, format!("`{path}`: expected {expected}, found {found}"))
                    .label(format!("expected {expected}"))
            }
            Wrong::Must(must) => Problem::new(&node.place, format!("`{path}` must {must}, found {found}"))
                .label(format!("must {must}")),
            Wrong::Name(names) => {
                let name = if let Value::String(name) = &node.value { name } else { found };
                Problem::new(&node.place, format!("`{path}` has no choice {found}"))
                    .help(suggest(name, names.iter().map(String::as_str)))
            }
            Wrong::Because(reason, help) => {
                Problem::new(&node.place, format!("`{path}`: {reason}")).help(help)
            }
        };
        self.problem(problem);
    }

    /// Writes down a key that the caller read, with its value as TOML; no node is a default.
    pub fn record(&mut self, key: &str, value: String, node: Option<&Node>) {
        if node.is_none() {
            self.list(key, Some(&value), String::new());
        }
        self.write(key, value, node, false);
    }

    pub(crate) fn write(&mut self, key: &str, value: String, node: Option<&Node>, is_path: bool) {
        let origin = node.map_or(Origin::Default, |node| Origin::Place(node.place.clone()));
        let key = format!("{}{key}", self.prefix);
        self.log.resolved.sections[self.section].entries.push(Entry { key, value, origin, is_path });
    }

    /// Lists a key that is not there, if keys are listed.
    pub(crate) fn list(&mut self, key: &str, default: Option<&str>, expected: String) {
        let Some(keys) = &mut self.log.keys else { return };
        let header = self.log.resolved.sections[self.section].header.clone();
        let key = format!("{}{key}", self.prefix);
        keys.push(Key { header, key, default: default.map(str::to_owned), expected });
    }

    /// Whether this is to list keys, not to read a file.
    pub(crate) fn lists(&self) -> bool {
        self.log.keys.is_some()
    }

    /// Adds a problem.
    pub fn problem(&mut self, problem: Problem) {
        self.log.problems.push(problem);
    }

    /// Adds the problem that the value of `key` does not do, for a `reason` that begins in lower case, with what may help.
    pub fn fault(&mut self, key: &str, reason: impl Display, help: Option<&str>) {
        let problem = Problem::new(self.at(key), format!("`{}`: {reason}", self.path(key)));
        self.problem(Problem { help: help.map(str::to_owned), ..problem });
    }

    /// Whether what was read of this table so far is right: constraints between keys are checked only where each key by itself
    /// is.
    pub fn is_sound(&self) -> bool {
        !self.broken && self.log.problems.len() == self.before && self.missing.is_empty()
    }

    /// The value of `key`, or the table if it has none.
    pub fn at(&self, key: &str) -> Where {
        self.table.get(key).map_or_else(|| self.place.clone(), |node| Where::from(&node.place))
    }

    /// The value behind this path of keys, or what it would be in.
    pub fn within(&self, path: &[&str]) -> Where {
        let (mut table, mut place) = (self.table, self.place.clone());
        for key in path {
            let Some(node) = table.get(*key) else { break };
            place = Where::from(&node.place);
            let Value::Table(inner) = &node.value else { break };
            table = inner;
        }
        place
    }

    /// The dotted path of `key`.
    pub fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Whether the value of this key is a list.
    pub fn listed(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|node| matches!(node.value, Value::Array(_)))
    }

    /// Whether the table has this key.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reads the whole table: afterwards, keys that were not asked for are unknown.
    pub(crate) fn all<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let result = read(&mut self);
        for (key, node) in self.table.iter().filter(|(key, _)| !self.asked.contains(&key.as_str())) {
            let message = format!("unknown key `{key}` in {}", self.table_name());
            let help = suggest(key, self.asked.iter().copied());
            self.log.problems.push(Problem::new(&node.key, message).help(help));
            // A key that is only misspelt is not missing as well.
            let meant = nearest(key, self.asked.iter().copied());
            self.missing.retain(|missing| Some(*missing) != meant);
        }
        for key in self.missing.iter().filter(|_| !self.broken) {
            let message = format!("missing key `{}`", self.path(key));
            let help = format!("add `{key}` to {}", self.table_name());
            self.log.problems.push(Problem::new(&self.place, message).help(help));
        }
        result
    }

    fn table_name(&self) -> String {
        if self.name.is_empty() { format!("the {}", self.log.what) } else { format!("`[{}]`", self.name) }
    }
}

/// A value as the file spells it, cut short.
fn written(node: &Node) -> &str {
    let text = &node.place.source.text[node.place.span.clone()];
    let line = text.lines().next().unwrap_or(text);
    line.char_indices().nth(60).map_or(line, |(end, _)| &line[..end])
}
