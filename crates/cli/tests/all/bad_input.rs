//! Bad input: one clear message, the right exit code, nothing lost.

use crate::{SMALL, meanflow, write_small};
use std::fs;

/// Runs `x.toml` and checks exit code and message.
fn refused(folder: &std::path::Path, code: i32, words: &[&str]) {
    let output = meanflow(folder).args(["run", "x.toml"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn broken_experiment_files_are_refused_with_code_2() {
    let root = tempfile::tempdir().unwrap();
    let cases: [(&str, &str, &[&str]); 5] = [
        ("share = 0.5", "share = 1.5", &["share", "1.5"]),
        ("batch = 32", "batsch = 32", &["batsch", "batch", "x.toml"]),
        ("steps = 400", "steps = \"many\"", &["steps"]),
        ("name = \"small\"", "name = \"a/b\"", &["a/b"]),
        ("[train]", "[train", &["x.toml"]),
    ];
    for (old, new, words) in cases {
        write_small(root.path(), old, new);
        refused(root.path(), 2, words);
    }
    fs::write(root.path().join("x.toml"), "").unwrap();
    refused(root.path(), 2, &["x.toml"]);
    fs::write(root.path().join("x.toml"), [0xff, 0xfe, 0x00]).unwrap();
    refused(root.path(), 2, &["x.toml"]);
    assert!(!root.path().join("runs").exists(), "nothing was started");
}

#[test]
fn two_problems_are_told_at_once() {
    let root = tempfile::tempdir().unwrap();
    let text = SMALL.replace("share = 0.5", "share = 1.5").replace("width = 16", "wdith = 16");
    fs::write(root.path().join("x.toml"), text).unwrap();
    refused(root.path(), 2, &["share", "wdith"]);
}

#[test]
fn missing_and_truncated_data_fail_with_code_1() {
    let root = tempfile::tempdir().unwrap();
    let idx = |images: &str| format!("[data.idx]\nimages = \"{images}\"\nsize = 4\n");
    write_small(root.path(), "[data.two-moons]\npoints = 2000\n", &idx("nothing-idx3-ubyte"));
    let text = fs::read_to_string(root.path().join("x.toml")).unwrap().replace("metrics = [\"energy\"]", "");
    let text = text
        .replace("[net.mlp]\nwidth = 16\ndepth = 1", "[net.dit]\npatch = 2\nwidth = 8\ndepth = 1\nheads = 1");
    fs::write(root.path().join("x.toml"), &text).unwrap();
    refused(root.path(), 1, &["nothing-idx3-ubyte"]);
    // An IDX header that promises two 4×4 images, and half of one.
    let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4];
    fs::write(root.path().join("cut-idx3-ubyte"), [&header[..], &[7; 8]].concat()).unwrap();
    fs::write(root.path().join("x.toml"), text.replace("nothing-idx3-ubyte", "cut-idx3-ubyte")).unwrap();
    refused(root.path(), 1, &["cut-idx3-ubyte"]);
}

#[test]
fn a_gpu_that_is_not_there_is_said_so() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 1");
    let output = meanflow(root.path()).args(["run", "x.toml", "--device", "cuda"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // With a GPU, and in a binary built for it, the run is as any other.
    if output.status.success() {
        assert!(root.path().join("runs/small/meanflow/status.json").is_file(), "{text}");
    } else {
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("CUDA") || text.contains("GPU"), "{text}");
    }
}

#[test]
fn labels_of_another_length_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4][..], &[7; 32]].concat();
    fs::write(root.path().join("images"), images).unwrap();
    fs::write(root.path().join("labels"), [0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 0]).unwrap();
    let text = SMALL
        .replace("[data.two-moons]\npoints = 2000", "[data.idx]\nimages = \"images\"\nlabels = \"labels\"")
        .replace("[net.mlp]\nwidth = 16\ndepth = 1", "[net.dit]\npatch = 2\nwidth = 8\ndepth = 1\nheads = 1")
        .replace("metrics = [\"energy\"]", "");
    fs::write(root.path().join("x.toml"), text).unwrap();
    refused(root.path(), 1, &["labels", "2", "3"]);
}

#[test]
fn sets_that_w2_cannot_compare_are_refused_before_training() {
    let root = tempfile::tempdir().unwrap();
    let points: String =
        (0..300).map(|i| format!("{},{}\n", f64::from(i).sin(), f64::from(i).cos())).collect();
    fs::write(root.path().join("points.csv"), points).unwrap();
    let text = SMALL
        .replace("[data.two-moons]\npoints = 2000", "[data.points]\npath = \"points.csv\"")
        .replace("\"energy\"", "\"w2\"");
    fs::write(root.path().join("x.toml"), text).unwrap();
    refused(root.path(), 2, &["w2", "100", "30"]);
    let status = fs::read_to_string(root.path().join("runs/small/meanflow/status.json")).unwrap();
    assert!(status.contains("failed"), "{status}");
    // What the message says to do is not refused as a changed configuration.
    meanflow(root.path()).args(["run", "x.toml", "--set", "eval.samples=30"]).assert().success();
    // The floor is of other points than the reference: training data, since too few were set aside.
    let log = fs::read_to_string(root.path().join("runs/small/meanflow/metrics.jsonl")).unwrap();
    let line: serde_json::Value = log
        .lines()
        .find(|line| line.contains("\"w2\""))
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap();
    assert!(line["floor"].as_f64().unwrap() > 0.01, "{line}");
}

#[test]
fn a_run_folder_that_cannot_be_made_is_said_so() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x.toml"), SMALL).unwrap();
    // A file where the folder should be: refused to everybody, also to root.
    fs::write(root.path().join("runs"), "").unwrap();
    refused(root.path(), 1, &["runs", "Not a directory"]);
}

/// Writes to `/dev/full` fail as on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing() {
    let (whole, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for root in [&whole, &full] {
        write_small(root.path(), "steps = 400", "steps = 120");
    }
    meanflow(whole.path()).args(["run", "x.toml"]).assert().success();
    let run = full.path().join("runs/small/meanflow");
    fs::create_dir_all(run.join("samples")).unwrap();
    std::os::unix::fs::symlink("/dev/full", run.join("samples/points-00000100.json.part")).unwrap();
    refused(full.path(), 1, &["points-00000100.json", "No space left"]);
    assert!(run.join("checkpoints/step-00000100.safetensors").is_file(), "it is saved before it is scored");
    let status = fs::read_to_string(run.join("status.json")).unwrap();
    assert!(status.contains("failed") && status.contains("No space left"), "{status}");

    meanflow(full.path()).args(["run", "x.toml"]).assert().success();
    let digest = |root: &std::path::Path| {
        let output = meanflow(root).args(["digest", "runs/small/meanflow"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(digest(full.path()), digest(whole.path()));
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text_are_taken_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    let root = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"x\xff.toml");
    let text = SMALL.replace("steps = 400", "steps = 20").replace("\"20 steps\"", "\"10 steps\"");
    fs::write(root.path().join(name), text.replace("\"100 steps\"", "\"20 steps\"")).unwrap();
    meanflow(root.path()).arg("run").arg(name).assert().success();
}

#[test]
fn a_number_of_threads_that_no_machine_has_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x.toml"), SMALL).unwrap();
    let output =
        meanflow(root.path()).args(["run", "x.toml"]).env("RAYON_NUM_THREADS", "100000").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("RAYON_NUM_THREADS=100000: at most 1024") && !text.contains("panicked"), "{text}");
}
