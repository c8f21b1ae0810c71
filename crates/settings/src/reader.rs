//! Reads a table key by key, collects every problem, and writes down every key with its value and where it came from.

use crate::{
    problem::{Problem, Where, nearest, suggest},
    resolved::{Entry, Origin, Resolved, Section},
    scalar::{Scalar, Wrong},
    tree::{Node, Table, Value},
};

static EMPTY: Table = Table::new();

/// What reading a document brings to light.
#[derive(Debug)]
pub struct Log {
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
    /// Every key with its value and origin.
    pub resolved: Resolved,
    what: &'static str,
}

impl Log {
    /// Of a file that describes a `what`.
    pub fn new(what: &'static str) -> Self {
        Self { problems: Vec::new(), resolved: Resolved::default(), what }
    }
}

/// A table that is being read.
pub struct Reader<'r> {
    log: &'r mut Log,
    table: &'r Table,
    /// What to point at when something is missing.
    place: Where,
    /// Dotted path, empty at the root.
    name: String,
    /// Index of the section of the resolved file that keys are written to.
    section: usize,
    /// Dotted path within that section, with a dot behind.
    prefix: String,
    asked: Vec<&'static str>,
    missing: Vec<&'static str>,
    /// It is not a table at all, so nothing more is said about what it lacks.
    broken: bool,
}

/// The table behind a key.
struct Inner<'r> {
    table: &'r Table,
    place: Where,
    broken: bool,
}

impl<'r> Reader<'r> {
    /// Reads a whole document with `read`; keys that it does not ask for are problems.
    pub fn document<T>(
        log: &'r mut Log,
        table: &'r Table,
        place: Where,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        log.resolved.sections.push(Section { header: String::new(), entries: Vec::new() });
        let reader = Self {
            section: log.resolved.sections.len() - 1,
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

    /// A key that must be there.
    pub fn need<S: Scalar>(&mut self, key: &'static str, scalar: S) -> S::Out {
        match self.node(key) {
            Some(node) => self.read(key, node, &scalar),
            None => {
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
                self.record(key, scalar.show(&default), None);
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
                self.record(key, scalar.show(&value), Some(node));
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

    /// Writes down a key that was read; no node is a default.
    pub fn record(&mut self, key: &str, value: String, node: Option<&Node>) {
        let origin = node.map_or(Origin::Default, |node| Origin::Place(node.place.clone()));
        let key = format!("{}{key}", self.prefix);
        self.log.resolved.sections[self.section].entries.push(Entry { key, value, origin });
    }

    /// Adds a problem.
    pub fn problem(&mut self, problem: Problem) {
        self.log.problems.push(problem);
    }

    /// How many problems there are so far: constraints between keys are checked only where each key by itself is right.
    pub fn problems(&self) -> usize {
        self.log.problems.len() + self.missing.len()
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

    /// Whether the table has this key.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A table with a header of its own, which may be left out.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader) -> T) -> T {
        let node = self.node(key);
        let inner = self.inner(key, node);
        self.child(key.to_owned(), inner, "[]").all(read)
    }

    /// A table within this one's section: its keys are written as dotted keys.
    pub fn nested<T>(
        &mut self,
        key: &'static str,
        node: Option<&'r Node>,
        read: impl FnOnce(&mut Reader) -> T,
    ) -> T {
        let Inner { table, place, broken } = self.inner(key, node);
        let child = Reader {
            name: self.path(key),
            section: self.section,
            prefix: format!("{}{key}.", self.prefix),
            log: self.log,
            table,
            place,
            broken,
            asked: Vec::new(),
            missing: Vec::new(),
        };
        child.all(read)
    }

    /// A list of tables, `[[key]]`, which may be left out.
    pub fn each<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Reader) -> T) -> Vec<T> {
        let items = match self.node(key) {
            None => return Vec::new(),
            Some(Node { value: Value::Array(items), .. }) => items,
            Some(node) => {
                let message = format!("`{key}`: expected a list of tables, found {}", node.value.type_name());
                self.problem(Problem::new(&node.place, message).help(format!("write `[[{key}]]`")));
                return Vec::new();
            }
        };
        items
            .iter()
            .map(|item| {
                let inner = self.inner(key, Some(item));
                self.child(key.to_owned(), inner, "[[]]").all(&mut read)
            })
            .collect()
    }

    /// A table that holds one table, whose key is its kind: `[net.dit]`. Without it, an empty table of the `default`.
    pub fn kind<T>(
        &mut self,
        key: &'static str,
        names: &[&'static str],
        default: Option<&'static str>,
        read: impl FnOnce(&'static str, &mut Reader) -> T,
    ) -> Option<T> {
        let example = default.unwrap_or(names[0]);
        let Some(node) = self.node(key) else {
            let Some(kind) = default else {
                let all = one_of(names.iter().map(|name| format!("`[{key}.{name}]`")));
                let message = format!("missing table `[{key}.…]`");
                self.problem(Problem::new(&self.place, message).help(format!("add {all}")));
                return None;
            };
            let inner = self.inner(key, None);
            let child = self.child(format!("{key}.{kind}"), inner, "[]");
            return Some(child.all(|reader| read(kind, reader)));
        };
        let Value::Table(table) = &node.value else {
            let message = format!("`{key}`: expected a table of one kind, found {}", node.value.type_name());
            self.problem(Problem::new(&node.place, message).help(format!("write `[{key}.{example}]`")));
            return None;
        };
        let (known, unknown): (Vec<_>, Vec<_>) = table
            .iter()
            .map(|(name, inner)| (names.iter().copied().find(|valid| valid == name), name, inner))
            .partition(|(valid, ..)| valid.is_some());
        for (_, name, inner) in &unknown {
            let message = format!("`{key}` has no kind `{name}`");
            self.problem(Problem::new(&inner.key, message).help(suggest(name, names.iter().copied())));
        }
        match known[..] {
            [(Some(kind), _, inner)] => {
                let name = format!("{key}.{kind}");
                let inner = self.inner(&name, Some(inner));
                Some(self.child(name, inner, "[]").all(|reader| read(kind, reader)))
            }
            [] if unknown.is_empty() => {
                let message = format!("`{key}` names no kind");
                self.problem(Problem::new(&node.place, message).help(format!("write `[{key}.{example}]`")));
                None
            }
            [] => None,
            _ => {
                let kinds: Vec<String> = known.iter().map(|(_, name, _)| format!("`{name}`")).collect();
                let message = format!("`{key}` has {} kinds: {}", known.len(), kinds.join(", "));
                let last = known.iter().map(|(.., inner)| &inner.key);
                let last = last.max_by_key(|key| (key.source.is_override, key.span.start));
                let place = Where::from(last.unwrap_or(&node.key));
                self.problem(Problem::new(place, message).help("keep one of them"));
                None
            }
        }
    }

    /// The table behind a key; something else is a problem and reads as an empty table.
    fn inner(&mut self, key: &str, node: Option<&'r Node>) -> Inner<'r> {
        match node {
            None => Inner { table: &EMPTY, place: self.place.clone(), broken: false },
            Some(Node { value: Value::Table(table), place, .. }) => {
                Inner { table, place: place.into(), broken: false }
            }
            Some(node) => {
                let found = node.value.type_name();
                let message = format!("`{}`: expected a table, found {found}", self.path(key));
                self.problem(Problem::new(&node.place, message).label("expected a table"));
                Inner { table: &EMPTY, place: Where::from(&node.place), broken: true }
            }
        }
    }

    /// A reader of a table of this name with a section of its own, within `brackets`.
    fn child(&mut self, name: String, inner: Inner<'r>, brackets: &str) -> Reader<'_> {
        let (open, close) = brackets.split_at(brackets.len() / 2);
        self.log
            .resolved
            .sections
            .push(Section { header: format!("{open}{name}{close}"), entries: Vec::new() });
        Reader {
            section: self.log.resolved.sections.len() - 1,
            log: self.log,
            table: inner.table,
            place: inner.place,
            broken: inner.broken,
            name,
            prefix: String::new(),
            asked: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Reads the whole table: afterwards, keys that were not asked for are unknown.
    fn all<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
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

/// `a, b or c`.
fn one_of(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} or {last}", names.join(", ")),
        last => last.unwrap_or_default(),
    }
}
