//! From a text to its tree.

use crate::{
    problem::{Problem, Where},
    source::{Place, Source},
    tree::{self, Table},
};
use std::sync::Arc;
use toml::de::DeTable;

/// The tree of a TOML text.
pub(crate) fn table(source: &Arc<Source>) -> Result<Table, Problem> {
    let document = DeTable::parse(&source.text).map_err(|error| {
        let place = error.span().map(|span| Place { source: source.clone(), span });
        let place = place.map_or_else(|| Where::from(source), Where::from);
        Problem::new(place, format!("not valid TOML: {}", error.message()))
    })?;
    Ok(tree::table(source, document.get_ref()))
}
