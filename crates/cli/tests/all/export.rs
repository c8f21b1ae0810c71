//! Networks out of runs and into them.

use crate::{SMALL, meanflow, write_small};
use std::{fs, path::Path};

fn sample(folder: &Path, from: &str, more: &[&str]) -> Vec<u8> {
    meanflow(folder).args(["sample", from, "-n", "50", "--out", "points.csv"]).args(more).assert().success();
    fs::read(folder.join("points.csv")).unwrap()
}

fn words(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = meanflow(folder).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn an_exported_network_gives_the_samples_of_its_run_by_itself() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 60");
    meanflow(root.path()).args(["run", "x.toml"]).assert().success();
    let run = "runs/small/meanflow";
    let (average, raw) = (sample(root.path(), run, &[]), sample(root.path(), run, &["--ema", "none"]));
    let seeded = sample(root.path(), run, &["--seed", "7", "--nfe", "2"]);
    assert_ne!(average, raw);
    for (ema, out) in [("0.99", "average.safetensors"), ("none", "raw.safetensors")] {
        meanflow(root.path()).args(["export", run, "--ema", ema, "--out", out]).assert().success();
    }
    fs::remove_dir_all(root.path().join("runs")).unwrap();
    fs::remove_file(root.path().join("x.toml")).unwrap();
    assert_eq!(sample(root.path(), "average.safetensors", &[]), average);
    assert_eq!(sample(root.path(), "raw.safetensors", &[]), raw);
    assert_eq!(sample(root.path(), "average.safetensors", &["--seed", "7", "--nfe", "2"]), seeded);
    let said = words(root.path(), &["sample", "raw.safetensors", "--ema", "0.99", "--out", "a.csv"], 2);
    assert!(said.contains("raw.safetensors") && said.contains("0.99"), "{said}");

    // Weights of a run in a new one: it starts where the other ended.
    let start = format!("{SMALL}[init]\nweights = \"raw.safetensors\"\n").replace("steps = 400", "steps = 1");
    let start = format!("{start}[optimizer.adam]\nlr = 1e-30\n");
    fs::write(root.path().join("x.toml"), &start).unwrap();
    let said = words(root.path(), &["run", "x.toml"], 0);
    assert!(said.contains("initial weights") && said.contains("0 missing"), "{said}");
    assert_eq!(sample(root.path(), run, &["--ema", "none"]), raw);

    // And as an import of its own.
    let arguments = ["import", "raw.safetensors", "--experiment", "x.toml", "--out", "again.safetensors"];
    words(root.path(), &arguments, 0);
    assert_eq!(sample(root.path(), "again.safetensors", &[]), raw);

    // Another architecture, a truncated file, no weights at all.
    fs::write(root.path().join("x.toml"), start.replace("width = 16", "width = 8")).unwrap();
    let said = words(root.path(), &["run", "x.toml", "--runs-dir", "other"], 1);
    assert!(said.contains("raw.safetensors") && said.contains("`width: 16`"), "{said}");
    let bytes = fs::read(root.path().join("raw.safetensors")).unwrap();
    fs::write(root.path().join("raw.safetensors"), &bytes[..bytes.len() - 5]).unwrap();
    let said = words(root.path(), &["sample", "raw.safetensors", "--out", "a.csv"], 1);
    assert!(said.contains("raw.safetensors"), "{said}");
    let said = words(root.path(), &["export", "nowhere", "--out", "a.safetensors"], 1);
    assert!(said.contains("nowhere"), "{said}");
}

#[test]
fn a_misspelt_pattern_is_refused_before_training() {
    let root = tempfile::tempdir().unwrap();
    let adamw = "[optimizer.adamw]\nweight-decay = 0.1\nweight-decay-except = [\"*.bais\"]\n[train]";
    write_small(root.path(), "[train]", adamw);
    let said = words(root.path(), &["run", "x.toml"], 2);
    assert!(said.contains("*.bais") && said.contains("weight-decay-except"), "{said}");
}
