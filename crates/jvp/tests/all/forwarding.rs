//! Every method of Burn's backend traits is implemented, defaults included: a default composes other operations and
//! would lose the fast path of the backend below (or, for `ad_enabled`, switch dropout off).
//!
//! Clippy checks the same on the implementations (`missing_trait_methods`); this test also needs no clippy, and sees a
//! method that is implemented but calls another one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TRAITS: [(&str, &str, usize); 9] = [
    ("backend/ops/tensor.rs", "FloatTensorOps", 124),
    ("backend/ops/int_tensor.rs", "IntTensorOps", 104),
    ("backend/ops/bool_tensor.rs", "BoolTensorOps", 39),
    ("backend/ops/modules/base.rs", "ModuleOps", 56),
    ("backend/ops/activation.rs", "ActivationOps", 14),
    ("backend/ops/qtensor.rs", "QTensorOps", 80),
    ("backend/ops/transaction.rs", "TransactionOps", 1),
    ("backend/base.rs", "Backend", 10),
    ("backend/base.rs", "AutodiffBackend", 15),
];

#[test]
fn every_method_is_forwarded_by_name() {
    let burn = burn_backend_sources();
    let ours = our_sources();
    for (file, name, count) in TRAITS {
        let text = fs::read_to_string(burn.join(file)).unwrap();
        let methods = methods_of(&text, name);
        assert_eq!(methods.len(), count, "methods of {name}: {methods:?}");
        for method in methods {
            assert!(
                in_a_table(&ours, &method) || calls_itself_below(&ours, &method),
                "`{name}::{method}` is not forwarded to the backend below"
            );
        }
    }
}

/// The sources of the burn-backend that this crate is built with.
fn burn_backend_sources() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    // Packages of other platforms are named in the lock file and are not there.
    let version = Command::new("rustc").arg("-vV").output().expect("rustc -vV").stdout;
    let version = String::from_utf8(version).expect("text of rustc -vV");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--filter-platform", host, "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo metadata");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON of cargo metadata");
    let package = metadata["packages"]
        .as_array()
        .and_then(|packages| packages.iter().find(|package| package["name"] == "burn-backend"))
        .expect("burn-backend among the packages");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    manifest.parent().expect("a folder").join("src")
}

fn our_sources() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("backend.rs")];
    files.extend(fs::read_dir(source.join("ops")).unwrap().map(|entry| entry.unwrap().path()));
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The methods in the body of a trait: its items are indented by four spaces.
fn methods_of(text: &str, name: &str) -> BTreeSet<String> {
    let start = [":", "<", " "]
        .iter()
        .find_map(|end| text.find(&format!("pub trait {name}{end}")))
        .unwrap_or_else(|| panic!("trait {name}"));
    text[start..]
        .lines()
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("    fn "))
        .map(identifier)
        .collect()
}

/// A line of one of the tables, which implement a method by calling the method of the same name.
fn in_a_table(ours: &str, method: &str) -> bool {
    ours.lines().map(str::trim).any(|line| {
        let line = line.strip_prefix("fn ").unwrap_or(line);
        identifier(line) == method && line.ends_with(';')
    })
}

/// An implementation by hand that calls the method of the same name of the backend below.
fn calls_itself_below(ours: &str, method: &str) -> bool {
    ours.lines().any(|line| line.trim().strip_prefix("fn ").is_some_and(|line| identifier(line) == method))
        && ours
            .match_indices(&format!("A::{method}"))
            .any(|(at, call)| identifier(&ours[at + 3..]) == call[3..])
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
