//! `meanflow kinds`: what an experiment file can name, and the keys of a kind.

use crate::{
    Done,
    args::{Kinds as Asked, ensure_usage},
};
use meanflow_train::{
    Kinds,
    config::{Kind, kinds},
};

/// Prints the registries, or the keys of the kinds of this name.
pub fn run<K: Kinds>(args: Asked) -> anyhow::Result<Done> {
    let all = kinds::<K>();
    let chosen: Vec<&Kind> =
        all.iter().filter(|kind| args.name.as_ref().is_none_or(|name| *name == kind.name)).collect();
    ensure_usage(!chosen.is_empty(), || {
        let known: Vec<&str> = all.iter().map(|kind| kind.name).collect();
        format!("nothing is called `{}`; there are {}", args.name.as_deref().unwrap_or(""), known.join(", "))
    })?;
    if args.json {
        tell!("{:#}", serde_json::to_value(&chosen)?);
        return Ok(Done::Yes);
    }
    let width = chosen.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    let mut section = "";
    for kind in &chosen {
        if kind.section != section {
            tell!("{}{}", if section.is_empty() { "" } else { "\n" }, kind.section);
            section = kind.section;
        }
        tell!("  {:width$}  {}", kind.name, kind.about);
        if args.name.is_some() {
            keys(kind);
        }
    }
    Ok(Done::Yes)
}

/// Every key with its default and what is written there.
fn keys(kind: &Kind) {
    let default = |key: &meanflow_train::config::KindKey| key.default.clone().unwrap_or_default();
    let width = kind.keys.iter().map(|key| key.key.len()).max().unwrap_or(0);
    let values = kind.keys.iter().map(|key| default(key).chars().count()).max().unwrap_or(0);
    for key in &kind.keys {
        let needed = if key.default.is_none() { ", must be there" } else { "" };
        tell!("    {:width$} = {:values$}  # {}{needed}", key.key, default(key), key.expected);
    }
}
