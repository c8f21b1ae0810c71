//! `meanflow kinds`: what an experiment file can name, and the keys of a kind.

use crate::{
    Done,
    args::{Kinds as Asked, ensure_usage},
};
use meanflow_train::{
    Kinds,
    config::{KindAbout, kinds, told_kinds},
};

/// Prints the registries, or the keys of the kinds of this name.
pub fn run<K: Kinds>(args: Asked) -> anyhow::Result<Done> {
    let all = kinds::<K>();
    let chosen: Vec<&KindAbout> =
        all.iter().filter(|kind| args.name.as_ref().is_none_or(|name| *name == kind.name)).collect();
    ensure_usage(!chosen.is_empty(), || {
        let known: Vec<&str> = all.iter().map(|kind| kind.name).collect();
        format!("nothing is called `{}`; there are {}", args.name.as_deref().unwrap_or(""), known.join(", "))
    })?;
    if args.json {
        tell!("{:#}", serde_json::to_value(&chosen)?);
        return Ok(Done::Yes);
    }
    tell!("{}", told_kinds(&chosen, args.name.is_some()));
    Ok(Done::Yes)
}
