//! Tables within tables.

use crate::{
    problem::{Problem, Where},
    reader::{EMPTY, Reader},
    resolved::Section,
    tree::{Node, Table, Value},
};

/// The table behind a key.
pub(crate) struct Inner<'r> {
    table: &'r Table,
    place: Where,
    broken: bool,
}

impl<'r> Reader<'r> {
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
            before: self.log.problems.len(),
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

    /// The table behind a key; something else is a problem and reads as an empty table.
    pub(crate) fn inner(&mut self, key: &str, node: Option<&'r Node>) -> Inner<'r> {
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
    pub(crate) fn child(&mut self, name: String, inner: Inner<'r>, brackets: &str) -> Reader<'_> {
        let (open, close) = brackets.split_at(brackets.len() / 2);
        self.log
            .resolved
            .sections
            .push(Section { header: format!("{open}{name}{close}"), entries: Vec::new() });
        Reader {
            section: self.log.resolved.sections.len() - 1,
            before: self.log.problems.len(),
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
}
