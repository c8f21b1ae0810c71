//! Keys that choose: a table of one kind, `"off"` or a table, a word or a table.

use crate::{
    nearest::suggest,
    problem::{Problem, Where},
    reader::Reader,
    scalar::{Wrong, quote},
    tree::Value,
    words::or,
};

impl Reader<'_> {
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
                let all = or(names.iter().map(|name| format!("`[{key}.{name}]`")));
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

    /// `"off"`, or a table; without the key, an empty table if it is `on`.
    pub fn off_or<T>(
        &mut self,
        key: &'static str,
        on: bool,
        read: impl FnOnce(&mut Reader) -> T,
    ) -> Option<T> {
        const OFF: &str = "\"off\"";
        let node = self.node(key);
        match node.map(|node| &node.value) {
            Some(Value::Table(_)) => return Some(self.nested(key, node, read)),
            Some(Value::String(word)) if word == "off" => {}
            Some(_) => {
                node.inspect(|node| self.wrong(key, node, Wrong::Type(format!("a table or {OFF}"))));
                return None;
            }
            None => {
                self.list(key, Some(if on { "{}" } else { OFF }), format!("{OFF} or a table"));
                if on {
                    return Some(self.nested(key, None, read));
                }
                if self.lists() {
                    self.nested(key, None, read);
                }
            }
        }
        self.write(key, OFF.to_owned(), node, false);
        None
    }

    /// One of some words, or a table that holds one kind with keys of its own: `"uniform"` or `{ logit-normal = { mean = 0 } }`.
    /// `read` is given the word or the kind; `what` says what all of them are, with its article.
    pub fn either<T>(
        &mut self,
        key: &'static str,
        what: &str,
        words: &[&'static str],
        kinds: &[&'static str],
        default: &'static str,
        read: impl Fn(&'static str, &mut Reader) -> T,
    ) -> Option<T> {
        let written = words
            .iter()
            .map(|word| quote(word))
            .chain(kinds.iter().map(|kind| format!("{{ {kind} = {{ … }} }}")));
        let help = format!("write {}", or(written));
        let node = self.node(key);
        let name = match node.map(|node| &node.value) {
            None => Some(default),
            Some(Value::String(word)) => words.iter().copied().find(|other| other == word),
            Some(Value::Table(table)) if table.len() == 1 => {
                kinds.iter().copied().find(|kind| table.contains_key(*kind))
            }
            Some(_) => None,
        };
        let Some(name) = name else {
            node.inspect(|node| self.wrong(key, node, Wrong::Because(format!("is not {what}"), help)));
            return None;
        };
        if node.is_none() {
            let shown =
                if words.contains(&default) { quote(default) } else { format!("{{ {default} = {{}} }}") };
            self.list(key, Some(&shown), what.to_owned());
            let lists = self.lists();
            for kind in kinds.iter().copied().filter(|kind| lists && *kind != default) {
                self.nested(key, None, |r| r.nested(kind, None, |r| drop(read(kind, r))));
            }
        }
        if words.contains(&name) {
            self.write(key, quote(name), node, false);
            return Some(self.nested(key, None, |r| read(name, r)));
        }
        Some(self.nested(key, node, |r| {
            let inner = r.node(name);
            r.nested(name, inner, |r| read(name, r))
        }))
    }
}
