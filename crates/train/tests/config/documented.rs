//! `docs/experiment-file.md` lists every key that there is, no other, and the right defaults.

use super::{IMAGES, SMALL, load};
use meanflow_core::objective::{ObjectiveConfig, Objectives};
use meanflow_optim::OptimizerConfig;
use meanflow_train::config::{Comparison, Origin, Sort};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Of each section: its keys, and their defaults.
type Keys = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Experiments that between them have every kind and every key.
fn experiments() -> Vec<Comparison> {
    let mut experiments = Vec::new();
    let mut add = |text: &str, overrides: &[&str]| {
        experiments.push(load(text, overrides).unwrap_or_else(|error| panic!("{overrides:?}\n{error}")));
    };
    for kind in meanflow_data::KINDS {
        let needed = match kind.name {
            "mnist" | "cifar10" | "cifar100" | "points" | "silhouette" => "{path=\"x\"}",
            "idx" => "{images=\"x\", size=28}",
            "image-folder" => "{path=\"x\", size=28, classes=10}",
            "emoji" => "{path=\"x\"}",
            "hdf5" => "{path=\"x\", shape=[1, 28, 28], classes=10}",
            _ => "{}",
        };
        add(SMALL, &[&format!("data.{}={needed}", kind.name)]);
    }
    let takes_labels = "net={unet={width=16, multipliers=[1, 2], blocks=1, augment-labels=6}}";
    add(SMALL, &["data.cifar10={path=\"x\", augment={edm={}}}", takes_labels]);
    for (name, _) in ObjectiveConfig::NAMES {
        add(IMAGES, &[&format!("objective={{{name}={{}}}}")]);
    }
    let imf = "net={imf-dit={patch=7, width=24, depth=10, heads=2}}";
    add(IMAGES, &[imf]);
    add(IMAGES, &[imf, "eval={guidance={}}", "objective={imf={guidance={}, time=\"uniform\"}}"]);
    add(IMAGES, &["objective={imf={prediction={data={}}}}"]);
    add(IMAGES, &["net={unet={width=16, multipliers=[1, 2], blocks=1}}"]);
    for (name, _) in OptimizerConfig::NAMES {
        add(SMALL, &[&format!("optimizer.{name}={{}}")]);
    }
    add(IMAGES, &["objective={meanflow={guidance={}, time=\"uniform\"}}"]);
    add(IMAGES, &["objective={flow-matching={time={logit-normal={}}}}"]);
    add(IMAGES, &["objective={soflow={guidance={}}}"]);
    let uniform = "objective={soflow={time=\"uniform\", time-v=\"uniform\", time-s=\"uniform\"}}";
    add(IMAGES, &[uniform]);
    add(IMAGES, &["objective={tvm={guidance={}}}"]);
    add(IMAGES, &[imf, "objective={tvm={guidance={min=1.0}}}"]);
    add(IMAGES, &[imf, "objective={tvm={guidance={max=3.0}}}"]);
    for name in ["split-meanflow", "flowmap-psd", "flowmap-lsd", "flowmap-esd"] {
        add(IMAGES, &[&format!("objective={{{name}={{time={{logit-normal={{}}}}}}}}")]);
    }
    add(IMAGES, &["objective={shortcut={guidance={}}}"]);
    add(IMAGES, &["objective={alphaflow={guidance={}, time=\"uniform\"}}"]);
    for name in ["tim", "esc", "facm", "dmf", "scm-linear"] {
        add(IMAGES, &[&format!("objective={{{name}={{guidance={{}}}}}}")]);
    }
    for name in ["scm-linear", "mf-rae", "tim", "esc", "sct", "rcm", "facm", "dmf", "ayf"] {
        let settings = "time=\"uniform\", derivative=\"jvp\"";
        add(IMAGES, &[&format!("objective={{{name}={{{settings}}}}}")]);
    }
    add(IMAGES, &["objective={dmf={time-flow=\"uniform\", time-r=\"uniform\"}}"]);
    for name in ["rcm", "sct", "ct"] {
        add(IMAGES, &[&format!("objective={{{name}={{teacher=\"flow.safetensors\", guidance={{}}}}}}")]);
    }
    for name in ["central", "backward", "mixed"] {
        add(IMAGES, &[&format!("objective={{meanflow={{derivative={{{name}={{}}}}}}}}")]);
    }
    add(IMAGES, &["eval={guidance={}}"]);
    add(SMALL, &["eval={times={shifted={}}}"]);
    add(SMALL, &["eval={times={edm={}}}"]);
    add(SMALL, &["ema=[{decay=0.9},{half-life=\"1 kimg\"},{power=7},{std=0.05}]"]);
    add(SMALL, &["published=[{variant=\"small\",metric=\"fid\",nfe=1,value=3.4,source=\"a paper\"}]"]);
    experiments
}

fn known() -> Keys {
    let mut keys = Keys::new();
    for variant in experiments().iter().flat_map(|experiment| &experiment.variants) {
        for section in &variant.resolved.sections {
            let known = keys.entry(section.header.clone()).or_default();
            for entry in &section.entries {
                let defaults = known.entry(entry.key.clone()).or_default();
                if entry.origin == Origin::Default {
                    defaults.insert(entry.value.clone());
                }
            }
        }
    }
    // These say what is read, so they are used up before anything is resolved.
    for used in ["extends", "seeds"] {
        keys.entry(String::new()).or_default().insert(used.to_owned(), BTreeSet::new());
    }
    keys
}

/// The rows of the document's tables: below a heading with a section's header, `| key | type | default | meaning |`.
fn documented() -> Keys {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/experiment-file.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut keys = Keys::new();
    let mut section = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("#") {
            let code = heading.split('`').nth(1);
            section = match code {
                Some(header) if header.starts_with('[') => Some(header.to_owned()),
                _ if heading.contains("Above the first table") => Some(String::new()),
                _ => None,
            };
        }
        let (Some(section), Some(row)) = (&section, line.strip_prefix("| `")) else { continue };
        let (key, rest) = row.split_once('`').unwrap();
        let default = rest.split('|').nth(2).unwrap().trim();
        let default = default.strip_prefix('`').and_then(|default| default.strip_suffix('`'));
        let defaults = default.map(str::to_owned).into_iter().collect();
        let twice = keys.entry(section.clone()).or_default().insert(key.to_owned(), defaults);
        assert!(twice.is_none(), "{section} {key} is documented twice");
    }
    keys
}

#[test]
fn every_key_is_documented_with_its_default() {
    let (known, documented) = (known(), documented());
    let names = |keys: &Keys| {
        let pairs =
            keys.iter().flat_map(|(section, keys)| keys.keys().map(move |key| format!("{section} {key}")));
        pairs.collect::<BTreeSet<_>>()
    };
    let (there, written) = (names(&known), names(&documented));
    let lacking: Vec<_> = there.difference(&written).collect();
    assert!(lacking.is_empty(), "not documented: {lacking:#?}");
    let invented: Vec<_> = written.difference(&there).collect();
    assert!(invented.is_empty(), "documented, but there are no such keys: {invented:#?}");
    for (section, keys) in &documented {
        for (key, default) in keys {
            // A key that every experiment above has to set shows no default.
            let resolved = &known[section][key];
            assert!(
                resolved.is_empty() || default.is_subset(resolved),
                "{section} {key}: {default:?}, it is {resolved:?}"
            );
        }
    }
}

/// The table "What may change": sort, keys.
fn documented_sorts() -> Vec<(Sort, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/experiment-file.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("## What may change").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let sort = match *cells.get(1)? {
            "identity" => Sort::Identity,
            "length" => Sort::Length,
            "habit" => Sort::Habit,
            _ => return None,
        };
        Some((sort, cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect()))
    };
    section.lines().filter_map(row).collect()
}

#[test]
fn every_key_has_the_sort_that_is_documented() {
    let sorts = documented_sorts();
    assert_eq!(
        sorts.iter().map(|(sort, _)| *sort).collect::<Vec<_>>(),
        [Sort::Identity, Sort::Length, Sort::Habit]
    );
    let mut used = BTreeSet::new();
    for (section, keys) in known() {
        for key in keys.keys() {
            let name = section.trim_matches(['[', ']']);
            let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            let fits = |documented: &&String| match documented.strip_suffix('*') {
                Some(table) => path.starts_with(table),
                None => path == **documented,
            };
            let found = sorts.iter().find_map(|(sort, keys)| Some((*sort, keys.iter().find(fits)?)));
            used.extend(found.map(|(_, documented)| documented.clone()));
            let sort = found.map_or(Sort::Identity, |(sort, _)| sort);
            assert_eq!(Sort::of(&path), sort, "{path}");
        }
    }
    let written: BTreeSet<String> = sorts.into_iter().flat_map(|(_, keys)| keys).collect();
    assert_eq!(used, written, "a key of the table that there is not");
    // As a resolved file spells the keys of lists.
    assert_eq!((Sort::of("variant.0.name"), Sort::of("ema.1.decay")), (Sort::Habit, Sort::Identity));
}
