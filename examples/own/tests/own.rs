//! The program with kinds of its own, as a user meets it, and the document that walks through it.

use assert_cmd::Command;
use serde_json::Value;
use std::{fs, path::Path};
use tempfile::tempdir;

/// The program in a folder of its own, with the experiment made short.
fn own(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("own").expect("the binary under test");
    command.current_dir(folder).args(args);
    command
}

const EXPERIMENT: &str = include_str!("../own.toml");

fn write_short(folder: &Path) {
    let mut text = EXPERIMENT.to_owned();
    for (long, short) in [
        ("items = 4000", "items = 200"),
        ("width = 96\ndepth = 4", "width = 8\ndepth = 1"),
        ("batch = 64\nsteps = 1000", "batch = 8\nsteps = 4"),
        ("\"100 steps\"", "\"2 steps\""),
        ("\"500 steps\"", "\"4 steps\""),
        ("samples = 1000", "samples = 70"),
    ] {
        assert!(text.contains(long), "{long}");
        text = text.replace(long, short);
    }
    fs::write(folder.join("own.toml"), text).expect("a writable folder");
}

fn stdout(command: &mut Command) -> String {
    let output = command.assert().success().get_output().stdout.clone();
    String::from_utf8(output).expect("text")
}

#[test]
fn every_command_knows_them() {
    let folder = tempdir().expect("a folder");
    let folder = folder.path();
    write_short(folder);
    let plan = stdout(&mut own(folder, &["run", "own.toml", "--dry-run"]));
    assert!(
        plan.contains("objective    huber-flow") && plan.contains("data         shapes, 1×16×16, 3 classes")
    );
    own(folder, &["run", "own.toml"]).assert().success();
    for variant in ["meanflow", "huber-flow"] {
        let log =
            fs::read_to_string(folder.join("runs/own").join(variant).join("metrics.jsonl")).expect("a log");
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
        let scored = |metric: &str| lines.iter().filter(|line| line["metric"] == metric).count();
        assert_eq!((scored("brightness_w1"), scored("fd_pca64")), (2, 2), "{variant}");
    }
    let page = fs::read_to_string(folder.join("runs/own/report/index.html")).expect("a report");
    assert!(page.contains("brightness_w1"));

    let run = "runs/own/meanflow";
    own(folder, &["export", run, "--out", "net.safetensors"]).assert().success();
    own(folder, &["sample", run, "-n", "4", "--out", "a.png"]).assert().success();
    own(folder, &["sample", "net.safetensors", "-n", "4", "--out", "b.png"]).assert().success();
    let picture = |name: &str| fs::read(folder.join(name)).expect("a picture");
    assert_eq!(picture("a.png"), picture("b.png"));
    let import = ["import", "net.safetensors", "--experiment", "own.toml", "--out", "again.safetensors"];
    own(folder, &import).assert().success();
    own(folder, &["sample", "again.safetensors", "-n", "4", "--seed", "0", "--out", "c.png"])
        .assert()
        .success();
    let asked = ["eval", run, "--metrics", "fd_pca64,brightness_w1", "--nfe", "1"];
    let scores = stdout(&mut own(folder, &asked));
    assert!(scores.contains("fd_pca64 ") && scores.contains("brightness_w1 "), "{scores}");
    // They stay with the run, and on its page.
    let kept = fs::read_to_string(folder.join(run).join("scores.jsonl")).expect("kept scores");
    let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
    assert_eq!((kept.len(), &kept[1]["metric"], &kept[1]["n"]), (2, &"brightness_w1".into(), &70.into()));
    own(folder, &["report", "runs/own"]).assert().success();
    let page = fs::read_to_string(folder.join("runs/own/report/index.html")).expect("a report");
    assert!(page.contains("Scored afterwards"));
    let shown = stdout(&mut own(folder, &["config", "show", "own.toml"]));
    assert!(shown.contains("[net.mixer]") && shown.contains("mixing = 64"), "{shown}");
    let kinds = stdout(&mut own(folder, &["kinds", "mixer"]));
    assert!(kinds.contains("MLP-Mixer") && kinds.contains("mixing"), "{kinds}");
    let all = stdout(&mut own(folder, &["kinds"]));
    for name in ["huber-flow", "shapes", "brightness_w1", "two-moons"] {
        assert!(all.contains(name), "{name}");
    }
    own(folder, &["doctor", run]).assert().success();
}

#[test]
fn what_is_wrong_with_them_is_said_where_it_stands() {
    let folder = tempdir().expect("a folder");
    let folder = folder.path();
    let said = |old: &str, new: &str| {
        assert!(EXPERIMENT.contains(old), "{old}");
        fs::write(folder.join("own.toml"), EXPERIMENT.replacen(old, new, 1)).expect("a writable folder");
        let output =
            own(folder, &["run", "own.toml", "--dry-run"]).assert().code(2).get_output().stderr.clone();
        String::from_utf8(output).expect("text")
    };
    let error = said("depth = 4", "deep = 4");
    assert!(error.contains("unknown key `deep` in `[net.mixer]`") && error.contains("^^^^"), "{error}");
    let error = said("patch = 4", "patch = 5");
    assert!(error.contains("patch 5 does not divide the image size 16×16") && error.contains('^'), "{error}");
    let error = said("c = 4.0", "c = 0.0");
    assert!(error.contains("`objective.huber-flow.c` must be above 0"), "{error}");
    let error = said("brightness_w1", "brightness_w2");
    assert!(error.contains("brightness_w1"), "{error}");
}

/// `cargo run` in the root of the workspace means `meanflow`; with two programs to choose from it would refuse.
#[test]
fn the_example_leaves_the_workspace_one_program_to_run() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("cargo");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("json");
    let chosen = metadata["workspace_default_members"].as_array().expect("a list");
    let programs: Vec<&str> = metadata["packages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|package| chosen.contains(&package["id"]))
        .flat_map(|package| package["targets"].as_array().expect("a list"))
        .filter(|target| target["kind"][0] == "bin")
        .filter_map(|target| target["name"].as_str())
        .collect();
    assert_eq!(programs, ["meanflow"]);
}

/// Every block of code in the document stands in the example.
#[test]
fn the_document_shows_this_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("../../docs/extending.md")).expect("the document");
    let sources: String = ["main", "mixer", "huber_flow", "log_cosh", "shapes", "brightness"]
        .map(|name| fs::read_to_string(root.join("src").join(format!("{name}.rs"))).expect("a source"))
        .concat();
    let mut blocks = 0;
    for block in document.split("```").skip(1).step_by(2) {
        let (language, code) = block.split_once('\n').expect("a block");
        let whole = match language {
            "rust" => &sources,
            "toml" => EXPERIMENT,
            _ => continue,
        };
        blocks += 1;
        for piece in code.split("// …\n") {
            assert!(whole.contains(piece.trim_matches('\n')), "not in the example:\n{piece}");
        }
    }
    assert!(blocks >= 5, "{blocks} blocks");
}
