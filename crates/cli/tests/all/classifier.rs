//! `meanflow train-classifier`, and `eval` with what it wrote.

use crate::meanflow;
use image::RgbImage;
use serde_json::Value;
use std::{fs, path::Path};

/// Two classes of pictures, bright on the left and on the right, and a class-conditional network that is hardly trained.
const SIDES: &str = r#"
name = "sides"
[data.image-folder]
path = "sides"
held-out = 0.25
[net.dit]
patch = 4
width = 16
depth = 1
heads = 2
[objective.meanflow]
[train]
batch = 16
steps = 4
[eval]
every = "4 steps"
samples = 40
nfe = [1]
metrics = []
"#;

fn sides(folder: &Path) {
    for (side, from) in [("left", 0), ("right", 4)] {
        let folder = folder.join("sides").join(side);
        fs::create_dir_all(&folder).unwrap();
        for k in 0..60u32 {
            let picture = RgbImage::from_fn(8, 8, |x, y| {
                let ground = if (from..from + 4).contains(&x) { 180 } else { 20 };
                image::Rgb([0, 1, 2].map(|c: u32| (ground + (k * 31 + x * 17 + y * 5 + c * 7) % 60) as u8))
            });
            picture.save(folder.join(format!("{k:02}.png"))).unwrap();
        }
    }
    fs::write(folder.join("x.toml"), SIDES).unwrap();
}

/// Standard output, and standard error, of a command that ends with this code.
fn ends(folder: &Path, code: i32, arguments: &[&str]) -> (String, String) {
    let output = meanflow(folder).args(arguments).output().unwrap();
    let [said, told] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    assert!(!told.contains("panicked"), "{told}");
    (said, told)
}

fn number(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

#[test]
fn a_classifier_is_trained_and_scores_samples() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    sides(folder);
    let train = ["train-classifier", "x.toml", "--out", "c.safetensors", "--epochs", "6"];
    let (text, told) = ends(folder, 0, &train);
    assert!(number(&text, "accuracy") > 0.9 && number(&text, "n") == 30.0, "{text}");
    assert!(told.contains("trained on 90 pictures"), "{told}");
    let first = fs::read(folder.join("c.safetensors")).unwrap();
    ends(folder, 0, &train);
    assert_eq!(first.len(), fs::read(folder.join("c.safetensors")).unwrap().len());

    let with = ["--classifier", "c.safetensors", "--metrics"];
    let score = |input: &str, rest: &[&str]| {
        let arguments = [&["eval", input], &with[..], rest].concat();
        ends(folder, 0, &arguments).0
    };
    let text = score("x.toml", &["accuracy"]);
    assert!(number(&text, "accuracy") > 0.9 && number(&text, "n") == 90.0, "{text}");
    assert!(!text.contains("reference"), "nothing is compared:\n{text}");
    assert!(number(&text, "accuracy.low") < number(&text, "accuracy"), "{text}");
    // A set covers itself.
    let text = score("x.toml", &["class_coverage,sw2", "--real", "x.toml", "--repeats", "0"]);
    assert_eq!((number(&text, "class_coverage"), number(&text, "sw2")), (1.0, 0.0), "{text}");
    // A run, against what its data sets aside.
    ends(folder, 0, &["run", "x.toml"]);
    let json: Value =
        serde_json::from_str(&score("runs/sides", &["accuracy,class_coverage", "--json"])).unwrap();
    let share = |value: &Value| (0.0..=1.0).contains(&value.as_f64().unwrap());
    for name in ["accuracy", "class_coverage"] {
        assert!(share(&json[name]["value"]), "{json:#}");
        let classes = json[name]["by_class"].as_array().unwrap();
        assert!(classes.len() == 2 && classes.iter().all(share), "{json:#}");
        assert_eq!(json[name]["n"], 40);
    }
    assert_eq!(json["class_coverage"]["reference_n"], 30);
    let mean = |name: &str| {
        json[name]["by_class"].as_array().unwrap().iter().filter_map(Value::as_f64).sum::<f64>() / 2.0
    };
    assert!((mean("accuracy") - json["accuracy"]["value"].as_f64().unwrap()).abs() < 1e-12);
    assert!((mean("class_coverage") - json["class_coverage"]["value"].as_f64().unwrap()).abs() < 1e-12);
}

#[test]
fn what_has_no_labels_or_no_classifier_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    sides(folder);
    let refused = |code: i32, arguments: &[&str], words: &[&str]| {
        let (said, told) = ends(folder, code, arguments);
        assert!(
            said.is_empty() && words.iter().all(|word| told.contains(word)),
            "{words:?} in:\n{said}{told}"
        );
    };
    let out = ["--out", "c.safetensors"];
    refused(
        2,
        &[&["train-classifier", "x.toml", "--set", "data.image-folder.labels=false"], &out[..]].concat(),
        &["no labels"],
    );
    fs::write(folder.join("points.toml"), crate::SMALL).unwrap();
    refused(2, &[&["train-classifier", "points.toml"], &out[..]].concat(), &["no labels"]);
    refused(
        2,
        &[&["train-classifier", "x.toml", "--epochs", "0"], &out[..]].concat(),
        &["at least one epoch"],
    );
    refused(2, &["eval", "x.toml", "--metrics", "accuracy"], &["train-classifier", "--classifier"]);
    ends(folder, 0, &[&["train-classifier", "x.toml", "--epochs", "1"], &out[..]].concat());
    let with = ["--classifier", "c.safetensors", "--metrics", "accuracy"];
    refused(1, &[&["eval", "sides"], &with[..]].concat(), &["holds no labels"]);
    refused(2, &["eval", "x.toml", "--classifier", "c.safetensors"], &["--metrics accuracy"]);
    refused(
        2,
        &["eval", "x.toml", "--classifier", "c.safetensors", "--metrics", "class_coverage"],
        &["--real"],
    );
    let larger = SIDES.replace("held-out", "size = 4\nheld-out");
    fs::write(folder.join("y.toml"), larger).unwrap();
    refused(1, &[&["eval", "y.toml"], &with[..]].concat(), &["3×4×4", "3×8×8"]);
    let whole = fs::read(folder.join("c.safetensors")).unwrap();
    fs::write(folder.join("c.safetensors"), &whole[..whole.len() / 2]).unwrap();
    refused(1, &[&["eval", "x.toml"], &with[..]].concat(), &["c.safetensors"]);
}
