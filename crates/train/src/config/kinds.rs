//! What an experiment file can name, with the keys of each kind: the registries, as `meanflow kinds` prints them.

use crate::Kinds;
use meanflow_core::{
    Solver,
    objective::{About, Labels, Objectives},
};
use meanflow_nets::Networks;
use meanflow_optim::{Lengths, OptimizerConfig};
use meanflow_settings::{Key, Reader};
use serde::Serialize;

/// Something that an experiment file names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindAbout {
    /// Where it is named: `objective`, `net`, `data`, `optimizer` for tables `[objective.<name>]`, `eval.solver`, `eval.metrics`.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line; empty where the name says it.
    pub about: &'static str,
    /// The keys of its table, for data with classes; those that only follow from the value of another are not among them.
    pub keys: Vec<KindKey>,
}

impl KindAbout {
    /// Every key with its default and what is written there, a line each.
    fn key_lines(&self) -> Vec<String> {
        let default = |key: &KindKey| key.default.clone().unwrap_or_default();
        let width = self.keys.iter().map(|key| key.key.len()).max().unwrap_or(0);
        let values = self.keys.iter().map(|key| default(key).chars().count()).max().unwrap_or(0);
        let line = |key: &KindKey| {
            let needed = if key.default.is_none() { ", must be there" } else { "" };
            format!("{:width$} = {:values$}  # {}{needed}", key.key, default(key), key.expected)
        };
        self.keys.iter().map(line).collect()
    }
}

/// These kinds as a text, section by section; with their keys if asked for.
pub fn told(kinds: &[&KindAbout], with_keys: bool) -> String {
    let width = kinds.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    let (mut lines, mut section) = (Vec::new(), "");
    for kind in kinds {
        if kind.section != section {
            lines.extend((!section.is_empty()).then(String::new));
            lines.push(kind.section.to_owned());
            section = kind.section;
        }
        lines.push(format!("  {:width$}  {}", kind.name, kind.about));
        if with_keys {
            lines.extend(kind.key_lines().iter().map(|line| format!("    {line}")));
        }
    }
    lines.join("\n")
}

/// A key of a kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindKey {
    /// Dotted within the kind's table.
    pub key: String,
    /// As TOML; `None` for a key that must be there.
    pub default: Option<String>,
    /// What is written there, in a few words.
    pub expected: String,
}

impl From<Key> for KindKey {
    fn from(Key { key, default, expected, .. }: Key) -> Self {
        Self { key, default, expected }
    }
}

/// Every kind of every registry, in the order of the registries.
pub fn kinds<K: Kinds>() -> Vec<KindAbout> {
    let about = About { labels: Labels::Known, guided: None };
    let objectives = K::Objective::NAMES.iter().map(|&(name, line)| {
        kind("objective", name, line, Reader::keys(|r| K::Objective::read(name, r, &about)))
    });
    let nets = K::Net::NAMES
        .iter()
        .map(|&(name, line)| kind("net", name, line, Reader::keys(|r| K::Net::read(name, r))));
    let data = K::data();
    let data =
        data.iter().map(|data| kind("data", data.name, data.description, Reader::keys(|r| (data.read)(r))));
    let lengths = Lengths { batch: 1, items: None };
    let optimizers = OptimizerConfig::NAMES.iter().map(|&(name, line)| {
        kind("optimizer", name, line, Reader::keys(|r| OptimizerConfig::of_kind(name, r, lengths)))
    });
    let solvers =
        Solver::ALL.iter().map(|solver| kind("eval.solver", solver.name(), solver.about(), Vec::new()));
    let metrics = K::metrics();
    let metrics =
        metrics.iter().map(|metric| kind("eval.metrics", metric.name(), metric.about(), Vec::new()));
    objectives.chain(nets).chain(data).chain(optimizers).chain(solvers).chain(metrics).collect()
}

fn kind(section: &'static str, name: &'static str, about: &'static str, keys: Vec<Key>) -> KindAbout {
    KindAbout { section, name, about, keys: keys.into_iter().map(KindKey::from).collect() }
}
