//! Runs that are killed, resumed, repeated and changed.

use crate::{SMALL, meanflow, write_small};
use std::{fs, path::Path, process::Stdio, time::Duration};

fn digest(folder: &Path) -> String {
    let output = meanflow(folder).args(["digest", "runs/small/meanflow"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn killed_runs_end_in_the_same_bits() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for root in [&whole, &killed] {
        fs::write(root.path().join("x.toml"), SMALL).unwrap();
    }
    meanflow(whole.path()).args(["run", "x.toml"]).env("RAYON_NUM_THREADS", "1").assert().success();
    let checkpoints = killed.path().join("runs/small/meanflow/checkpoints");
    fs::create_dir_all(&checkpoints).unwrap();
    fs::write(checkpoints.join(".tmpHalf"), "what a kill in the middle of a checkpoint leaves").unwrap();
    for millis in [150, 300, 450] {
        let binary = assert_cmd::cargo::cargo_bin("meanflow");
        let mut child = std::process::Command::new(binary)
            .args(["run", "x.toml"])
            .current_dir(killed.path())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    meanflow(killed.path()).args(["run", "x.toml"]).env("RAYON_NUM_THREADS", "2").assert().success();
    assert_eq!(digest(whole.path()), digest(killed.path()));
    let mut left: Vec<_> =
        fs::read_dir(checkpoints).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["scored.json", "step-00000380.safetensors", "step-00000400.safetensors"]);

    // The logs agree in everything but the time.
    let log = |root: &Path| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(root.join("runs/small/meanflow/metrics.jsonl")).unwrap();
        let line = |line: &str| {
            let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
            value.as_object_mut().unwrap().remove("secs");
            value
        };
        text.lines().map(line).collect()
    };
    assert_eq!(log(whole.path()), log(killed.path()));
    assert!(whole.path().join("runs/small/report/index.html").is_file());
}

#[test]
fn a_finished_run_is_left_alone_and_a_changed_one_refused() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 40");
    meanflow(root.path()).args(["run", "x.toml"]).assert().success();
    let before = digest(root.path());
    let again = meanflow(root.path()).args(["run", "x.toml"]).output().unwrap();
    assert!(again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("already trained"));
    let changed = meanflow(root.path()).args(["run", "x.toml", "--set", "train.batch=16"]).output().unwrap();
    assert_eq!(changed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&changed.stderr).contains("train.batch"));
    assert_eq!(digest(root.path()), before);
    let csv = root.path().join("points.csv");
    meanflow(root.path())
        .args(["sample", "runs/small/meanflow", "-n", "5", "--out", "points.csv"])
        .assert()
        .success();
    assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), 5);
}

/// A small transformer in two parts of a batch, on one thread and on three.
#[test]
fn parts_of_a_batch_give_the_same_bits_on_any_number_of_threads() {
    let digests: Vec<String> = ["1", "3"]
        .map(|threads| {
            let root = tempfile::tempdir().unwrap();
            let text = SMALL
                .replace("[data.two-moons]\npoints = 2000", "[data.fashion-mnist]\nflip = true")
                .replace(
                    "[net.mlp]\nwidth = 16\ndepth = 1",
                    "[net.dit]\npatch = 7\nwidth = 16\ndepth = 1\nheads = 2",
                )
                .replace("batch = 32\nsteps = 400", "batch = 13\nmicrobatches = 3\nsteps = 5")
                .replace("metrics = [\"energy\"]", "metrics = [\"fd_pca64\"]");
            fs::write(root.path().join("x.toml"), text).unwrap();
            meanflow(root.path())
                .args(["run", "x.toml"])
                .env("RAYON_NUM_THREADS", threads)
                .assert()
                .success();
            digest(root.path())
        })
        .to_vec();
    assert_eq!(digests[0], digests[1]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_checkpoint_and_the_same_command_goes_on() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 20000");
    let binary = assert_cmd::cargo::cargo_bin("meanflow");
    let mut child = std::process::Command::new(binary)
        .args(["run", "x.toml", "--set", "eval.every=20000"])
        .current_dir(root.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = root.path().join("runs/small/meanflow/checkpoints");
    while !fs::read_dir(&first).is_ok_and(|mut entries| entries.next().is_some()) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let status = fs::read_to_string(root.path().join("runs/small/meanflow/status.json")).unwrap();
    assert!(status.contains("interrupted"), "{status}");
    let step: u64 = serde_json::from_str::<serde_json::Value>(&status).unwrap()["step"].as_u64().unwrap();
    assert!(digest(root.path()).contains(&format!("step {step}")));
}
