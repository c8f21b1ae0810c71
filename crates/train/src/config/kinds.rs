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
pub struct Kind {
    /// Where it is named: `objective`, `net`, `data`, `optimizer` for tables `[objective.<name>]`, `eval.solver`, `eval.metrics`.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line; empty where the name says it.
    pub about: &'static str,
    /// The keys of its table, for data with classes; those that only follow from the value of another are not among them.
    pub keys: Vec<KindKey>,
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
pub fn kinds<K: Kinds>() -> Vec<Kind> {
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

fn kind(section: &'static str, name: &'static str, about: &'static str, keys: Vec<Key>) -> Kind {
    Kind { section, name, about, keys: keys.into_iter().map(KindKey::from).collect() }
}
