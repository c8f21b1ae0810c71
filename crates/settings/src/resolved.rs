//! A variant's configuration written out in full: every key, defaults included, each with where it came from.

use crate::source::Place;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file or `--set`.
    Place(Place),
    /// Nobody set it.
    Default,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Dotted within its section.
    pub key: String,
    /// As TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// Whether it names a file or a folder.
    pub is_path: bool,
}

/// A table of the resolved file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `[train]`, `[[ema]]`; empty for the keys above the first table.
    pub header: String,
    /// In the order in which they are read.
    pub entries: Vec<Entry>,
}

/// A key that a reader asks for, whatever a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `[train]`, `[[ema]]`; empty for the keys above the first table.
    pub header: String,
    /// Dotted within its section.
    pub key: String,
    /// As TOML; `None` for a key that must be there.
    pub default: Option<String>,
    /// What is written there, in a few words.
    pub expected: String,
}

/// Every key of a variant, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The tables from top to bottom.
    pub sections: Vec<Section>,
}

/// A key that two resolved files disagree about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Dotted path.
    pub key: String,
    /// In the first file; `None` if it lacks the key.
    pub before: Option<String>,
    /// In the second file.
    pub after: Option<String>,
}

impl Resolved {
    /// The experiment file that says all this and nothing else. Read again, it resolves to itself.
    pub fn to_toml(&self) -> String {
        self.write(|line, _| line)
    }

    /// The table of the kind that `[key.…]` holds, alone.
    pub fn kind_table(&self, key: &str) -> String {
        let start = format!("[{key}.");
        let of_kind = |section: &&Section| section.header.starts_with(&start);
        Self { sections: self.sections.iter().filter(of_kind).cloned().collect() }.to_toml()
    }

    /// The same with the origin of every value in a comment: `file:line`, `--set` or `default`.
    pub fn to_toml_with_origins(&self) -> String {
        let lines = self.sections.iter().flat_map(|section| &section.entries);
        let width = lines.map(|entry| entry.line().chars().count()).max().unwrap_or(0);
        self.write(|line, entry| {
            let origin = match &entry.origin {
                Origin::Place(place) => place.describe(),
                Origin::Default => "default".to_owned(),
            };
            format!("{line:width$}  # {origin}")
        })
    }

    fn write(&self, line: impl Fn(String, &Entry) -> String) -> String {
        let mut text = String::new();
        for section in &self.sections {
            if !section.header.is_empty() {
                let _ = writeln!(text, "\n{}", section.header);
            }
            for entry in &section.entries {
                let _ = writeln!(text, "{}", line(entry.line(), entry));
            }
        }
        text
    }

    /// Every key by its dotted path, tables of a list numbered from 0, with its value as TOML.
    pub fn keys(&self) -> Vec<(String, &Entry)> {
        let mut keys = Vec::new();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for section in &self.sections {
            let name = section.header.trim_matches(['[', ']']);
            let path = if section.header.starts_with("[[") {
                let next = seen.entry(name).or_default();
                let index = std::mem::replace(next, *next + 1);
                format!("{name}.{index}.")
            } else if name.is_empty() {
                String::new()
            } else {
                format!("{name}.")
            };
            keys.extend(section.entries.iter().map(|entry| (format!("{path}{}", entry.key), entry)));
        }
        keys
    }

    /// What changed from `before`, key by key, but for what is `left_out`, by its dotted path and entry.
    pub fn differences(
        before: &Resolved,
        after: &Resolved,
        left_out: impl Fn(&str, &Entry) -> bool,
    ) -> Vec<Difference> {
        let kept = |resolved: &Resolved| -> BTreeMap<String, String> {
            let keys = resolved.keys().into_iter().filter(|(key, entry)| !left_out(key, entry));
            keys.map(|(key, entry)| (key, entry.value.clone())).collect()
        };
        let (before, after) = (kept(before), kept(after));
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        keys.into_iter()
            .filter(|key| before.get(*key) != after.get(*key))
            .map(|key| Difference {
                key: key.clone(),
                before: before.get(key).cloned(),
                after: after.get(key).cloned(),
            })
            .collect()
    }
}

impl Entry {
    fn line(&self) -> String {
        format!("{} = {}", self.key, self.value)
    }
}
