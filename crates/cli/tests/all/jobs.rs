//! Many runs of one file, side by side.

use crate::{SMALL, meanflow};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const NAMES: [&str; 4] = [
    "meanflow+share=0.25+seed=0",
    "meanflow+share=0.25+seed=1",
    "meanflow+share=1.0+seed=0",
    "meanflow+share=1.0+seed=1",
];

fn write(folder: &Path) {
    let sweep = "\n[sweep]\nobjective.meanflow.share = [0.25, 1.0]\n";
    fs::write(folder.join("x.toml"), format!("seeds = [0, 1]\n{SMALL}{sweep}")).unwrap();
}

fn digests(folder: &Path) -> Vec<String> {
    let digest = |name: &&str| {
        let output = meanflow(folder).args(["digest", &format!("runs/small/{name}")]).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    NAMES.iter().map(digest).collect()
}

#[test]
fn side_by_side_gives_the_bits_of_one_after_another_also_when_killed() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for root in [&whole, &killed] {
        write(root.path());
    }
    meanflow(whole.path()).args(["run", "x.toml"]).assert().success();
    assert!(whole.path().join("runs/small/report/index.html").is_file());
    for millis in [200, 400] {
        let mut parent = Command::new(assert_cmd::cargo::cargo_bin("meanflow"))
            .args(["run", "x.toml", "--jobs", "2"])
            .current_dir(killed.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(millis));
        parent.kill().unwrap();
        parent.wait().unwrap();
    }
    // Its children end by themselves; the next start may come before they are gone.
    let patient = Instant::now();
    loop {
        let output = meanflow(killed.path()).args(["run", "x.toml", "--jobs", "2"]).output().unwrap();
        if output.status.success() {
            break;
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(patient.elapsed() < Duration::from_secs(20), "{said}");
    }
    assert_eq!(digests(killed.path()), digests(whole.path()));
    assert!(killed.path().join("runs/small/report/index.html").is_file());
}

#[test]
fn one_that_fails_does_not_end_the_others() {
    let root = tempfile::tempdir().unwrap();
    write(root.path());
    // A file where a run folder should be.
    fs::create_dir_all(root.path().join("runs/small")).unwrap();
    fs::write(root.path().join("runs/small").join(NAMES[1]), "").unwrap();
    let args = ["run", "x.toml", "--jobs", "3", "--set", "train.steps=40"];
    let output = meanflow(root.path()).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 failed:") && said.contains(&format!("{}: error: ", NAMES[1])), "{said}");
    for name in [NAMES[0], NAMES[2], NAMES[3]] {
        let last = root.path().join("runs/small").join(name).join("checkpoints/step-00000040.safetensors");
        assert!(last.is_file(), "{name}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_reaches_every_child() {
    let root = tempfile::tempdir().unwrap();
    write(root.path());
    let parent = Command::new(assert_cmd::cargo::cargo_bin("meanflow"))
        .args(["run", "x.toml", "--jobs", "2", "--set", "train.steps=1000000"])
        .current_dir(root.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = |name: &str| root.path().join("runs/small").join(name).join("metrics.jsonl").is_file();
    while !(begun(NAMES[0]) && begun(NAMES[1])) {
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(300));
    Command::new("kill").args(["-TERM", &parent.id().to_string()]).status().unwrap();
    let output = parent.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    for name in &NAMES[..2] {
        assert!(said.contains(&format!("\n{name}: stopped at step")), "{said}");
    }
    assert!(!said.contains(&format!("{}: ", NAMES[2])), "{said}");
}

#[test]
fn what_starts_from_another_variant_comes_after_it() {
    let root = tempfile::tempdir().unwrap();
    let variants = "\n[[variant]]\nname = \"tuned\"\ninit.variant = \"flow\"\ntrain.steps = 40\n\
        [[variant]]\nname = \"flow\"\nobjective.flow-matching = {}\ntrain.steps = 60\n";
    fs::write(root.path().join("x.toml"), format!("seeds = [0, 1]\n{SMALL}{variants}")).unwrap();
    let output = meanflow(root.path()).args(["run", "x.toml", "--jobs", "4"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for seed in [0, 1] {
        let start = format!(
            "tuned+seed={seed}: note: the weights start from runs/small/flow+seed={seed}, step 60, average 0.99, a flow"
        );
        assert!(said.contains(&start), "{said}");
    }
    // Alone it has nothing to start from.
    let args = ["run", "x.toml", "--runs-dir", "other", "--variant", "tuned+seed=0"];
    let output = meanflow(root.path()).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("other/small/flow+seed=0"), "{said}");
}
