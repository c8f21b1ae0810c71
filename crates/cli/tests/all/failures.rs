//! What fails is said, and keeps nothing else from being done.

use crate::{SMALL, meanflow, write_small};
use std::{fs, path::Path, process::Output};

fn run(folder: &Path, more: &[&str]) -> (Output, String) {
    let output = meanflow(folder).args(["run", "x.toml"]).args(more).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

fn page(folder: &Path) -> String {
    fs::read_to_string(folder.join("runs/small/report/index.html")).unwrap()
}

fn status(folder: &Path, variant: &str) -> serde_json::Value {
    let file = folder.join("runs/small").join(variant).join("status.json");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Two variants, the first of which has no data.
const BROKEN: &str = r#"
[[variant]]
name = "broken"
data.points = { path = "points.txt" }
[[variant]]
name = "whole"
"#;

#[test]
fn one_variant_that_fails_does_not_end_the_comparison() {
    let root = tempfile::tempdir().unwrap();
    let text = SMALL.replace("steps = 400", "steps = 40").replace("every = \"100 steps\"\n", "");
    fs::write(root.path().join("x.toml"), text + BROKEN).unwrap();
    let (output, said) = run(root.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 failed:\n  broken: cannot read") && said.contains("points.txt"), "{said}");
    assert_eq!(status(root.path(), "whole")["state"], "finished");
    assert_eq!(status(root.path(), "broken")["state"], "failed");
    let html = page(root.path());
    assert!(html.contains("whole") && html.contains("the run failed at step 0: cannot read"), "{html}");
    // The page is of all, whichever was asked for.
    let (output, said) = run(root.path(), &["--variant", "whole"]);
    assert!(output.status.success(), "{said}");
    assert_eq!(page(root.path()), html);
    // What was missing is there now.
    let points: String = (0..300).map(|i| format!("{} {}\n", i % 17, i % 13)).collect();
    fs::write(root.path().join("points.txt"), points).unwrap();
    let (output, said) = run(root.path(), &["--set", "eval.samples=30"]);
    assert!(output.status.success(), "{said}");
    assert_eq!(status(root.path(), "broken")["state"], "finished");
}

#[test]
fn a_folder_that_cannot_be_read_does_not_keep_the_others_from_being_trained() {
    let root = tempfile::tempdir().unwrap();
    let text = SMALL.replace("steps = 400", "steps = 20");
    fs::write(
        root.path().join("x.toml"),
        text + "[[variant]]\nname = \"first\"\n[[variant]]\nname = \"second\"\n",
    )
    .unwrap();
    assert!(run(root.path(), &["--variant", "first"]).0.status.success());
    fs::write(root.path().join("runs/small/first/config.toml"), "[[").unwrap();
    let (output, said) = run(root.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 failed:\n  first: ") && said.contains("config.toml cannot be read"), "{said}");
    assert_eq!(status(root.path(), "second")["state"], "finished");
    assert!(page(root.path()).contains("second"));
}

/// The loss of the only step is a number, but what it makes of the weights samples none.
#[test]
fn a_score_that_fails_is_said_and_the_run_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let text =
        SMALL.replace("steps = 400", "steps = 1").replace("[[ema]]", "[optimizer.adam]\nlr = 1e38\n[[ema]]");
    fs::write(root.path().join("x.toml"), text).unwrap();
    let (output, said) = run(root.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("energy failed: ") && said.contains("2 of its scores"), "{said}");
    let status = status(root.path(), "meanflow");
    assert_eq!((&status["state"], &status["failed_scores"]), (&"finished".into(), &2.into()));
    let log = fs::read_to_string(root.path().join("runs/small/meanflow/metrics.jsonl")).unwrap();
    assert_eq!(log.matches("\"kind\":\"score-failed\"").count(), 2, "{log}");
    let html = page(root.path());
    assert!(html.contains("the score energy at 1 NFE of step 1"));
    assert!(html.contains(">failed</td>"));
    meanflow(root.path()).args(["digest", "runs/small/meanflow"]).assert().success();
    let (output, said) = run(root.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("already trained") && said.contains("2 of its scores"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_second_signal_stops_at_once() {
    use std::{
        io::{BufRead, BufReader},
        process::Stdio,
    };
    let root = tempfile::tempdir().unwrap();
    // An exact distance of 3,000 points takes a while, in one part that hears no signal; it begins when the energy distance is told.
    let slow = ["samples=3000", "metrics=[\"energy\", \"w2\"]"].map(|key| format!("eval.{key}"));
    write_small(root.path(), "steps = 400", "steps = 20");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("meanflow"))
        .args(["run", "x.toml", "--set", &slow[0], "--set", &slow[1]])
        .current_dir(root.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut wait_for = |text: &str| assert!(lines.any(|line| line.contains(text)), "{text}");
    let signal = || std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    wait_for("energy");
    signal();
    wait_for("once more to stop at once");
    signal();
    wait_for("stopping at once");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let (output, said) = run(root.path(), &[]);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("going on from step 20"), "{said}");
}
