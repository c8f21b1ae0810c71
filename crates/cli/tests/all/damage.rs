//! Files that lie, disks that are full: nothing is lost and nothing silent.

use crate::{meanflow, write_small};
use std::{fs, path::Path};

const RUN: &str = "runs/small/meanflow";

fn said(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = meanflow(folder).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn digest(folder: &Path) -> String {
    let output = meanflow(folder).args(["digest", RUN]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One bit of the weights.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - 10;
    bytes[at] ^= 16;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_costs_the_steps_since_the_checkpoint_before() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 60");
    said(root.path(), &["run", "x.toml"], 0);
    let whole = digest(root.path());
    let run = root.path().join(RUN);
    let newest = run.join("checkpoints/step-00000060.safetensors");
    flip(&newest);
    for command in
        [&["digest", RUN][..], &["sample", RUN, "--out", "a.csv"], &["export", RUN, "--out", "a.safetensors"]]
    {
        let text = said(root.path(), command, 1);
        assert!(text.contains("step-00000060") && text.contains("checksum"), "{text}");
    }
    // A finished run is no longer finished without its last checkpoint.
    let text = said(root.path(), &["run", "x.toml"], 0);
    assert!(
        text.contains("step-00000060.safetensors.damaged") && text.contains("from step 40; 20 steps"),
        "{text}"
    );
    assert_eq!(digest(root.path()), whole);
    assert!(run.join("checkpoints/step-00000060.safetensors.damaged").is_file());
    assert!(said(root.path(), &["run", "x.toml"], 0).contains("already trained"));
    said(root.path(), &["export", RUN, "--out", "a.safetensors"], 0);
    flip(&root.path().join("a.safetensors"));
    assert!(said(root.path(), &["sample", "a.safetensors", "--out", "a.csv"], 1).contains("checksum"));
}

#[test]
fn the_doctor_finds_what_is_wrong_with_a_folder() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 60");
    said(root.path(), &["run", "x.toml", "--set", "train.log=20"], 0);
    let doctor = |code: i32| {
        let output = meanflow(root.path()).args(["doctor", RUN]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        text
    };
    let sound = doctor(0);
    assert!(
        sound.contains("step-00000060.safetensors") && sound.contains("\n0 of 8 files are wrong"),
        "{sound}"
    );
    let run = root.path().join(RUN);
    type Harm = fn(&Path);
    let harms: [(&str, Harm, &str); 7] = [
        ("checkpoints/step-00000040.safetensors", flip, "checksum"),
        ("env.json", |path| fs::write(path, "{").unwrap(), "no JSON"),
        ("status.json", |path| fs::remove_file(path).unwrap(), "missing"),
        ("metrics.jsonl", |path| fs::write(path, "{\"kind\":\"train\"}\n").unwrap(), "line 1"),
        ("samples/points-00000060.json", |path| fs::write(path, "{\"step\":").unwrap(), "no JSON"),
        ("samples/step-00000060-ema-0-nfe-1.png", |path| fs::write(path, "torn").unwrap(), "picture"),
        ("config.toml", |path| fs::write(path, "").unwrap(), ""),
    ];
    for (file, harm, words) in harms {
        let path = run.join(file);
        let before = fs::read(&path).ok();
        harm(&path);
        if file == "config.toml" {
            said(root.path(), &["doctor", RUN], 1);
        } else {
            let text = doctor(1);
            let line = text.lines().find(|line| line.starts_with("wrong") && line.contains(file)).unwrap();
            assert!(line.contains(words), "{line}");
        }
        match before {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
    doctor(0);
}

/// What was trained is all in its folder.
#[cfg(unix)]
#[test]
fn a_run_needs_neither_its_data_nor_its_experiment_file_nor_its_place() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("pictures")).unwrap();
    for index in 0..12u8 {
        let picture =
            image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8 * 30, y as u8 * 30, index * 20]));
        picture.save(at("pictures").join(format!("{index}.png"))).unwrap();
    }
    let text = crate::SMALL
        .replace(
            "[data.two-moons]\npoints = 2000",
            "[data.image-folder]\npath = \"pictures\"\nlabels = false\nsize = 8",
        )
        .replace("[net.mlp]\nwidth = 16\ndepth = 1", "[net.dit]\npatch = 4\nwidth = 8\ndepth = 1\nheads = 1")
        .replace("batch = 32\nsteps = 400", "batch = 4\nsteps = 4")
        .replace("[\"energy\"]", "[]\ngrid = 4");
    fs::write(at("x.toml"), text).unwrap();
    said(root.path(), &["run", "x.toml"], 0);
    let whole = digest(root.path());
    // A folder of an older version asks the data.
    let known = fs::read(at(RUN).join("data.json")).unwrap();
    fs::remove_file(at(RUN).join("data.json")).unwrap();
    said(root.path(), &["sample", RUN, "-n", "4", "--out", "a.png"], 0);
    fs::write(at(RUN).join("data.json"), known).unwrap();
    fs::rename(at("pictures"), at("other pictures")).unwrap();
    fs::remove_file(at("x.toml")).unwrap();
    fs::create_dir(at("elsewhere")).unwrap();
    fs::rename(at(RUN), at("elsewhere/renamed")).unwrap();
    std::os::unix::fs::symlink(at("elsewhere/renamed"), at("linked")).unwrap();
    for run in ["elsewhere/renamed", "linked"] {
        said(root.path(), &["sample", run, "-n", "4", "--out", "a.png"], 0);
        said(root.path(), &["export", run, "--out", "a.safetensors"], 0);
        said(root.path(), &["report", run, "--out", "page"], 0);
        let real = ["eval", run, "--real", "other pictures", "--samples", "8", "--metrics", "fd_pixels"];
        said(root.path(), &real, 0);
        let output = meanflow(root.path()).args(["digest", run]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), whole);
    }
}

/// Every command that prints data.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 20");
    said(root.path(), &["run", "x.toml"], 0);
    let commands: [&[&str]; 19] = [
        &["run", "x.toml"],
        &["run", "x.toml", "--dry-run"],
        &["run", "x.toml", "--dry-run", "--json"],
        &["config", "show", "x.toml"],
        &["config", "show", "x.toml", "--origin"],
        &["digest", RUN],
        &["report", RUN],
        &["eval", RUN, "--metrics", "energy"],
        &["eval", RUN, "--metrics", "energy", "--json"],
        &["doctor", RUN],
        &["data", "inspect", "x.toml"],
        &["data", "inspect", "x.toml", "--json"],
        &["sample", RUN, "--out", "a.csv"],
        &["export", RUN, "--out", "a.safetensors"],
        &["data", "list"],
        &["data", "list", "--json"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ];
    for arguments in commands {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("meanflow"))
            .args(arguments)
            .current_dir(root.path())
            .stdout(full)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(
            text.contains("cannot write the output") && text.contains("No space left"),
            "{arguments:?}: {text}"
        );
    }
}
