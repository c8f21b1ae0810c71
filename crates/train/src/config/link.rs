//! Variants that start from other variants of their file.

use super::{StartFrom, Variant};
use crate::Kinds;
use meanflow_core::objective::Objectives;
use meanflow_settings::{Origin, Problem, Where, quote};

/// Names the run that each variant starts from by `init.variant`: of the variants of that name the one whose seed and values of a
/// sweep, its `suffix`, are all among the own. A run folder holds one variant, whose start has been named.
pub(super) fn link<K: Kinds>(variants: &mut [Variant<K>], suffixes: &[&str]) -> Vec<Problem> {
    if variants.len() < 2 {
        return Vec::new();
    }
    let named: Vec<(String, Vec<&str>)> = variants
        .iter()
        .zip(suffixes)
        .map(|(variant, suffix)| {
            let base = variant.name.strip_suffix(suffix).unwrap_or(&variant.name);
            (base.to_owned(), suffix.split('+').filter(|part| !part.is_empty()).collect())
        })
        .collect();
    let found = |(own, variant): (usize, &Variant<K>)| -> Option<Result<usize, String>> {
        let Some(StartFrom::Variant(asked)) = variant.init.run.as_ref().map(|run| &run.from) else {
            return None;
        };
        if *asked == named[own].0 {
            return Some(Err("a variant cannot start from itself".to_owned()));
        }
        let fits = |(base, parts): &(String, Vec<&str>)| {
            base == asked && parts.iter().all(|part| named[own].1.contains(part))
        };
        let places = named.iter().enumerate().filter(|(_, other)| fits(other));
        let place = places.max_by_key(|(_, (_, parts))| parts.len()).map(|(place, _)| place);
        Some(place.ok_or_else(|| {
            let mut bases: Vec<&str> = named.iter().map(|(base, _)| base.as_str()).collect();
            bases.dedup();
            format!("no variant is called `{asked}`; there are {}", bases.join(", "))
        }))
    };
    let links: Vec<Option<Result<usize, String>>> = variants.iter().enumerate().map(found).collect();
    let source = |place: usize| links[place].as_ref().and_then(|link| link.as_ref().ok().copied());
    let mut problems = Vec::new();
    for own in 0..variants.len() {
        let Some(link) = &links[own] else { continue };
        let place = place(&variants[own]);
        let fault = |reason: &str| Problem::new(place.clone(), format!("`init.variant`: {reason}"));
        let other = match link {
            Err(reason) => {
                problems.push(fault(reason));
                continue;
            }
            Ok(other) => *other,
        };
        let mut at = Some(other);
        for _ in 0..variants.len() {
            at = at.and_then(source);
        }
        if at.is_some() {
            problems.push(fault("variants start from each other in a circle"));
            continue;
        }
        let prediction = |place: usize| variants[place].objective.facts().prediction();
        if prediction(own) != prediction(other) {
            let text = "the network of the other variant outputs something else, so its weights are no start";
            problems.push(fault(text));
            continue;
        }
        let name = variants[other].name.clone();
        name_start(&mut variants[own], name);
    }
    problems
}

/// Where `init.variant` is written.
fn place<K: Kinds>(variant: &Variant<K>) -> Where {
    let entries = variant.resolved.keys().into_iter();
    entries.filter(|(key, _)| key == "init.variant").map(|(_, entry)| entry).next().map_or(
        Where::Nowhere,
        |entry| match &entry.origin {
            Origin::Place(place) => Where::from(place),
            Origin::Default => Where::Nowhere,
        },
    )
}

fn name_start<K: Kinds>(variant: &mut Variant<K>, name: String) {
    let sections = variant.resolved.sections.iter_mut().filter(|section| section.header == "[init]");
    for entry in sections.flat_map(|section| &mut section.entries).filter(|entry| entry.key == "variant") {
        entry.value = quote(&name);
    }
    if let Some(run) = &mut variant.init.run {
        run.from = StartFrom::Variant(name);
    }
}
