//! `meanflow eval`: what it prints, and what it refuses.

use crate::{SMALL, meanflow};
use image::GrayImage;
use meanflow_data::{Floats, read_text, write_floats};
use meanflow_metrics::{Origin, Statistics, StatisticsNames};
use ndarray::Array2;
use ndarray_npy::{NpzWriter, write_npy};
use serde_json::Value;
use std::{fs, path::Path};

/// A folder of grey pictures with a bright square at a place that depends on the picture and on `shift`.
fn pictures(folder: &Path, count: usize, shift: usize) {
    fs::create_dir(folder).unwrap();
    for k in 0..count {
        let at = (k * 7 + shift) % 8;
        let picture = GrayImage::from_fn(12, 12, |x, y| {
            let inside = (at..at + 4).contains(&(x as usize))
                && ((k + shift) % 8..(k + shift) % 8 + 4).contains(&(y as usize));
            image::Luma([if inside { 250 } else { ((k * 31 + x as usize * 17 + y as usize * 5) % 40) as u8 }])
        });
        picture.save(folder.join(format!("{k:03}.png"))).unwrap();
    }
}

fn eval(folder: &Path, arguments: &[&str]) -> String {
    let output = meanflow(folder).arg("eval").args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, code: i32, arguments: &[&str], words: &[&str]) {
    let output = meanflow(folder).arg("eval").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    assert!(output.stdout.is_empty() && !text.contains("panicked"), "{text}");
}

/// The number after `name`.
fn number(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn pictures_score_without_any_weights() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    pictures(&folder.join("real"), 120, 0);
    pictures(&folder.join("near"), 90, 1);
    let text = eval(folder, &["near", "--real", "real"]);
    assert!(text.lines().all(|line| line.split(' ').count() == 2), "one number a line:\n{text}");
    let names: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let expected = [
        "fd_pca64",
        "fd_pca64.low",
        "fd_pca64.high",
        "sw2",
        "sw2.low",
        "sw2.high",
        "n",
        "reference",
        "reference_n",
    ];
    assert_eq!(names, expected);
    assert_eq!(number(&text, "reference_n"), 120.0);
    assert_eq!(number(&text, "n"), 90.0);
    let value = number(&text, "fd_pca64");
    assert!(number(&text, "fd_pca64.low") < value && value < number(&text, "fd_pca64.high"));
    assert_eq!(text, eval(folder, &["near", "--real", "real"]), "the same numbers each time");

    let json: Value = serde_json::from_str(&eval(folder, &["near", "--real", "real", "--json"])).unwrap();
    assert_eq!(json["fd_pca64"]["value"].as_f64().unwrap(), value);
    assert_eq!((&json["fd_pca64"]["n"], &json["fd_pca64"]["reference_n"]), (&90.into(), &120.into()));
    assert_eq!(json["fd_pca64"]["components"], 64.0);
    let digest = text.lines().find_map(|line| line.strip_prefix("reference ")).unwrap();
    assert_eq!((json["sw2"]["reference"].as_str().unwrap(), digest.len()), (digest, 64));
    assert_eq!(json["sw2"]["interval"].as_array().unwrap().len(), 2);

    // A set against itself, and an unlike one.
    let same =
        eval(folder, &["real", "--real", "real", "--metrics", "fd_pca64,sw2,kid,prdc", "--repeats", "0"]);
    assert!(number(&same, "fd_pca64").abs() < 1e-6 && number(&same, "sw2") == 0.0, "{same}");
    assert_eq!(number(&same, "precision_pixels"), 1.0);
    assert_eq!(number(&same, "coverage_pixels"), 1.0);
    // KID on pixels is not called KID.
    assert!(same.lines().any(|line| line.starts_with("kid_pixels ")) && !same.contains("kid "), "{same}");
    let some = eval(folder, &["near", "--real", "real", "--samples", "40", "--repeats", "0"]);
    assert_eq!((number(&some, "n"), number(&some, "seed")), (40.0, 0.0));
    // Real against real is nearer than what is scored, and half of the real ones at most.
    let floors = eval(folder, &["near", "--real", "real", "--metrics", "fd_pca64,kid,sw2", "--floor"]);
    for name in ["fd_pca64", "kid_pixels", "sw2"] {
        let floor = number(&floors, &format!("{name}.floor"));
        assert!(floor < number(&floors, name), "{floors}");
    }
    refused(folder, 2, &["near", "--real", "real", "--metrics", "kid,kid_pixels"], &["kid_pixels", "twice"]);
    refused(folder, 2, &["near", "--real", "real", "--efflite0", "none.pth"], &["none.pth"]);

    // Several inputs.
    let json: Value =
        serde_json::from_str(&eval(folder, &["near", "real", "--real", "real", "--json"])).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["near", "real"]);
    assert_eq!(json["near"]["fd_pca64"]["value"].as_f64().unwrap(), value);
}

#[test]
fn arrays_and_statistics_score_by_name() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let rows = |n, shift: f64| {
        Array2::from_shape_fn((n, 6), |(i, j)| ((i * 37 + j * j * 11 + i * i * j) % 97) as f64 / 50.0 + shift)
    };
    write_npy(folder.join("a.npy"), &rows(80, 0.1)).unwrap();
    write_npy(folder.join("b.npy"), &rows(100, 0.0)).unwrap();
    let names = "w2,sliced_w2,energy,mmd,fd,kid,prdc,fd_pca64";
    let text = eval(folder, &["a.npy", "--real", "b.npy", "--metrics", names, "--repeats", "4"]);
    for name in [
        "w2",
        "sliced_w2",
        "energy",
        "mmd",
        "fd",
        "kid",
        "precision",
        "recall",
        "density",
        "coverage",
        "fd_pca64",
    ] {
        assert!(number(&text, name).is_finite());
    }
    for (name, [mu, sigma]) in [("s.npz", ["mu", "sigma"]), ("r.npz", ["ref_mu", "ref_sigma"])] {
        let b = rows(100, 0.0);
        let mean = b.mean_axis(ndarray::Axis(0)).unwrap();
        let centred = &b - &mean;
        let mut file = NpzWriter::new(fs::File::create(folder.join(name)).unwrap());
        file.add_array(mu, &mean).unwrap();
        file.add_array(sigma, &(centred.t().dot(&centred) / 99.0)).unwrap();
        file.finish().unwrap();
        let of = eval(folder, &["a.npy", "--real", name, "--metrics", "fd", "--repeats", "0"]);
        assert!((number(&of, "fd") - number(&text, "fd")).abs() < 1e-6, "{of}{text}");
    }
    let text = eval(folder, &["s.npz", "--real", "r.npz"]);
    assert!(number(&text, "fd").abs() < 1e-9, "{text}");
}

#[test]
fn fid_is_refused_without_its_network() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    pictures(&folder.join("real"), 10, 0);
    let fid = ["real", "--real", "real", "--metrics", "fid"];
    refused(folder, 2, &fid, &["fid", "--inception", "fd_pca64"]);
    // The inception score compares with nothing, so what is missing is its network.
    refused(folder, 2, &["real", "--metrics", "is_inception"], &["is_inception", "--inception"]);
    refused(folder, 2, &["real", "--metrics", "is,sw2"], &["--real"]);
    fs::write(folder.join("w.pth"), b"no weights").unwrap();
    refused(folder, 1, &[&fid[..], &["--inception", "w.pth"]].concat(), &["w.pth", "no file of tensors"]);
    refused(
        folder,
        1,
        &["real", "--real", "real", "--metrics", "fd_efflite0"],
        &["data fetch efficientnet-lite0"],
    );
    refused(folder, 2, &["real", "--real", "real", "--metrics", "fod"], &["fod", "fd_pca64", "sw2"]);
}

#[test]
fn bad_input_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    pictures(&folder.join("real"), 10, 0);
    refused(folder, 2, &["real"], &["--real"]);
    refused(folder, 2, &[], &["required"]);
    refused(folder, 1, &["nothing", "--real", "real"], &["no such file or folder", "nothing"]);
    refused(folder, 1, &["real", "--real", "real", "--samples", "11"], &["10 samples", "11"]);
    fs::create_dir(folder.join("empty")).unwrap();
    refused(folder, 1, &["empty", "--real", "real"], &["empty", "no .png"]);
    let mut rows = Array2::<f32>::zeros((20, 3));
    write_npy(folder.join("b.npy"), &rows).unwrap();
    rows[[4, 2]] = f32::NAN;
    write_npy(folder.join("a.npy"), &rows).unwrap();
    refused(
        folder,
        1,
        &["a.npy", "--real", "b.npy", "--metrics", "fd"],
        &["a.npy", "NaN", "row 4, column 2"],
    );
    write_npy(folder.join("a.npy"), &Array2::<f32>::zeros((20, 4))).unwrap();
    refused(folder, 1, &["a.npy", "--real", "b.npy", "--metrics", "fd"], &["dimension"]);
    refused(folder, 1, &["a.npy", "--real", "real", "--metrics", "fd"], &["rows", "pictures"]);
    write_npy(folder.join("a.npy"), &Array2::<f32>::zeros((1, 3))).unwrap();
    refused(folder, 1, &["a.npy", "--real", "b.npy", "--metrics", "fd"], &["at least 2 samples, got 1"]);
}

#[test]
fn a_run_scores_as_it_scored_itself() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    fs::write(folder.join("x.toml"), SMALL.replace("steps = 400", "steps = 40")).unwrap();
    meanflow(folder).args(["run", "x.toml"]).assert().success();
    let log = fs::read_to_string(find(&folder.join("runs"), "metrics.jsonl")).unwrap();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = lines
        .rfind(|line| line["kind"] == "eval" && line["ema"] == "0.99" && line["nfe"] == 2)
        .expect("an evaluation");
    let run = find(&folder.join("runs"), "config.toml");
    let run = run.parent().unwrap().to_str().unwrap();
    let json: Value =
        serde_json::from_str(&eval(folder, &[run, "--nfe", "2", "--metrics", "energy", "--json"])).unwrap();
    assert_eq!(json["energy"]["value"], last["value"], "{json:#}\n{last:#}");
    assert_eq!(json["energy"]["n"], 100);
    let of = |key: &str| json["energy"][key].to_string();
    assert_eq!(["nfe", "step", "ema", "solver"].map(of), ["2", "40", "\"0.99\"", "\"meanflow\""]);
    let both = eval(folder, &[run, "--samples", "50"]);
    assert!(both.contains("nfe 1\n") && both.contains("nfe 2\n") && both.contains("sliced_w2 "), "{both}");
}

/// Every score of points that `meanflow eval` gives stands in the log of a run with the same value.
#[test]
fn a_run_takes_every_name_and_keeps_what_eval_finds() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let names = "w2,sliced_w2,energy,fd_pca64,sw2,mmd,fd,kid,kid_full,prdc";
    let listed = format!("{:?}", names.split(',').collect::<Vec<_>>());
    let text = SMALL.replace("steps = 400", "steps = 2").replace("[\"energy\"]", &listed);
    fs::write(folder.join("x.toml"), text).unwrap();
    meanflow(folder).args(["run", "x.toml"]).assert().success();
    let path = find(&folder.join("runs"), "metrics.jsonl");
    let run = path.parent().unwrap();
    let log = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| line.parse().unwrap()).collect();
    let arguments = [run.to_str().unwrap(), "--nfe", "2", "--metrics", names, "--json", "--floor"];
    let json: Value = serde_json::from_str(&eval(folder, &arguments)).unwrap();
    let scores = json.as_object().unwrap();
    assert_eq!(scores.len(), 13);
    for (name, score) in scores {
        let line = lines.iter().rfind(|line| line["metric"] == *name && line["nfe"] == 2).unwrap();
        // Directions, subsets and choices are keyed by the run's seed, which is the default of `--seed`.
        assert_eq!((&line["value"], &line["interval"]), (&score["value"], &score["interval"]), "{name}");
        assert!(line["floor"].is_number() && score["floor"].is_number(), "{name}");
        assert_eq!(
            line["better"] == "higher",
            ["precision", "recall", "density", "coverage"].contains(&&**name)
        );
    }
    let kept = || -> Vec<Value> {
        let text = fs::read_to_string(run.join("scores.jsonl")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    assert_eq!(kept().len(), 13);
    assert_eq!((&kept()[0]["reference"], &kept()[0]["n"]), (&json["w2"]["reference"], &100.into()));
    eval(folder, &[run.to_str().unwrap(), "--nfe", "1", "--metrics", "w2"]);
    assert_eq!((kept().len(), &kept()[13]["nfe"]), (14, &1.into()));
    meanflow(folder).args(["doctor", run.to_str().unwrap()]).assert().success();
}

/// Of two points one is scored against the other, and not against both.
#[test]
fn the_floor_of_a_run_compares_with_the_rest_of_its_data() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let data = "[data.points]\npath = \"points.csv\"\nheld-out = 0.0\nscale = false";
    let text = SMALL
        .replace("[data.two-moons]\npoints = 2000", data)
        .replace("steps = 400", "steps = 1")
        .replace("samples = 100", "samples = 2");
    fs::write(folder.join("x.toml"), text).unwrap();
    fs::write(folder.join("points.csv"), "0,0\n3,4\n").unwrap();
    meanflow(folder).args(["run", "x.toml"]).assert().success();
    let log = fs::read_to_string(find(&folder.join("runs"), "metrics.jsonl")).unwrap();
    let line: Value = log.lines().find(|line| line.contains("\"energy\"")).unwrap().parse().unwrap();
    assert_eq!(line["floor"], 10.0, "{line}");
}

#[test]
fn a_run_with_held_out_pictures_scores_as_it_scored_itself() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let experiment = r#"
name = "garments"
data.fashion-mnist.held-out = 0.02
net.dit = { patch = 14, width = 16, depth = 1, heads = 2 }
objective.meanflow.share = 0.5
train = { batch = 8, steps = 3 }
ema = [{ decay = 0.9 }]
eval = { samples = 70, nfe = [1], metrics = ["fd_pca64"], efflite0 = "off" }
"#;
    fs::write(folder.join("x.toml"), experiment).unwrap();
    meanflow(folder).args(["run", "x.toml"]).assert().success();
    let log = fs::read_to_string(find(&folder.join("runs"), "metrics.jsonl")).unwrap();
    let last: Value = log.lines().rfind(|line| line.contains("fd_pca64")).unwrap().parse().unwrap();
    assert_eq!(last["digest"].as_str().unwrap().len(), 64, "{last:#}");
    let json: Value =
        serde_json::from_str(&eval(folder, &["runs/garments", "--metrics", "fd_pca64", "--json"])).unwrap();
    assert_eq!(json["fd_pca64"]["value"], last["value"], "{json:#}\n{last:#}");
    assert_eq!(json["fd_pca64"]["reference_n"], 200);
}

/// The file of this name below a folder.
fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                return path;
            }
        }
    }
    panic!("no {name}");
}

#[test]
fn statistics_are_written_and_read_as_npz_and_hdf5() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let rows = |n: usize, shift: f32| {
        Array2::from_shape_fn((n, 5), |(i, j)| ((i * 37 + j * j * 11 + i * j) % 97) as f32 / 50.0 + shift)
    };
    let (a, b) = (rows(90, 0.0), rows(80, 0.2));
    write_npy(folder.join("a.npy"), &a).unwrap();
    write_npy(folder.join("b.npy"), &b).unwrap();
    let values = b.iter().copied().map(f64::from).collect();
    let features = Floats { shape: vec![80, 5], values };
    write_floats(&folder.join("b.h5"), &[("features", &features)]).unwrap();
    let direct = eval(folder, &["a.npy", "--real", "b.npy", "--metrics", "fd", "--repeats", "0"]);
    let expected = number(&direct, "fd");
    for (name, input) in [("s.npz", "b.npy"), ("s.h5", "b.h5"), ("s.hdf5", "b.npy")] {
        let text = eval(folder, &[input, "--write-stats", name]);
        assert_eq!((number(&text, "n"), number(&text, "dimension")), (80.0, 5.0));
        let found = eval(folder, &["a.npy", "--real", name, "--metrics", "fd", "--repeats", "0"]);
        assert!((number(&found, "fd") - expected).abs() < 1e-9 * expected, "{found}{direct}");
    }
    // What a file says it is of must be what is compared with it.
    pictures(&folder.join("p"), 30, 0);
    let pixels = ["p", "--metrics", "fd_pixels", "--repeats", "0", "--real"];
    for name in ["p.npz", "p.h5"] {
        eval(folder, &["p", "--write-stats", name, "--metrics", "fd_pixels"]);
        eval(folder, &[&pixels[..], &[name]].concat());
    }
    assert_eq!(read_text(&folder.join("p.h5"), "space").unwrap().as_deref(), Some("pixels"));
    assert_eq!(read_text(&folder.join("p.h5"), "n").unwrap().as_deref(), Some("30"));
    let mut other = Statistics::read(&folder.join("p.npz")).unwrap();
    other.origin = Some(Origin { space: Some("inception:ab".to_owned()), ..other.origin.unwrap() });
    other.write(&folder.join("other.npz"), StatisticsNames::Plain).unwrap();
    let all = [&pixels[..], &["other.npz"]].concat();
    refused(folder, 1, &all, &["space", "inception:ab", "pixels"]);
    refused(
        folder,
        2,
        &["p", "--real", "p.npz", "--metrics", "fd_pixels", "--floor"],
        &["--floor", "statistics"],
    );
    refused(folder, 1, &["b.npy", "--real", "p.npz", "--metrics", "fd"], &["5 features", "are of 144"]);
    refused(
        folder,
        1,
        &["p", "--real", "p.npz", "--metrics", "kid_pixels"],
        &["p: kid_pixels", "mean and covariance"],
    );
    let same = eval(folder, &["b.h5", "--real", "b.npy", "--metrics", "fd,kid_full"]);
    assert!(number(&same, "fd").abs() < 1e-9 && number(&same, "kid_full") < 0.0, "{same}");
    refused(folder, 2, &["a.npy", "--write-stats", "s.txt"], &["s.txt", ".npz"]);
    refused(folder, 2, &["a.npy", "b.npy", "--write-stats", "t.npz"], &["one input"]);
    refused(folder, 2, &["a.npy", "--real", "b.npy", "--write-stats", "t.npz"], &["--real"]);
    refused(folder, 2, &["a.npy", "--write-stats", "t.npz", "--metrics", "kid"], &["kid"]);
    let wrong = Floats { shape: vec![2], values: vec![1.0, f64::NAN] };
    let sigma = Floats { shape: vec![2, 2], values: vec![1.0; 4] };
    write_floats(&folder.join("nan.h5"), &[("mu", &wrong), ("sigma", &sigma)]).unwrap();
    refused(folder, 1, &["a.npy", "--real", "nan.h5", "--metrics", "fd"], &["nan.h5", "mu", "NaN"]);
    write_floats(&folder.join("flat.h5"), &[("features", &wrong)]).unwrap();
    refused(folder, 1, &["flat.h5", "--real", "b.npy"], &["flat.h5", "features", "two axes"]);
    fs::write(folder.join("text.h5"), "no HDF5").unwrap();
    refused(folder, 1, &["text.h5", "--real", "b.npy"], &["text.h5"]);
}

#[test]
fn samples_stand_beside_their_nearest_pictures() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    pictures(&folder.join("real"), 60, 0);
    pictures(&folder.join("near"), 20, 1);
    let arguments = ["near", "--real", "real", "--metrics", "sw2", "--nearest", "n.png", "--json"];
    let json: Value = serde_json::from_str(&eval(folder, &arguments)).unwrap();
    assert_eq!((&json["nearest"]["space"], &json["nearest"]["searched"]), (&"pixels".into(), &60.into()));
    // Ten rows of a sample and seven neighbours, 12 × 12 at scale 6, with lines between.
    let picture = image::open(folder.join("n.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (8 * 73 - 1, 10 * 73 - 1));
    let numbers: Value = serde_json::from_slice(&fs::read(folder.join("n.json")).unwrap()).unwrap();
    assert_eq!((&numbers["samples"], &numbers["held_out"]), (&20.into(), &Value::Null));
}

/// A run that went on has other samples.
#[test]
fn nearest_pictures_of_a_run_are_of_a_step() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    pictures(&folder.join("real"), 20, 0);
    let text = SMALL
        .replace(
            "[data.two-moons]\npoints = 2000",
            "[data.image-folder]\npath = \"real\"\nlabels = false\nsize = 12",
        )
        .replace("[net.mlp]\nwidth = 16\ndepth = 1", "[net.dit]\npatch = 6\nwidth = 8\ndepth = 1\nheads = 1")
        .replace("batch = 32\nsteps = 400", "batch = 4\nsteps = 2")
        .replace("[\"energy\"]", "[]\ngrid = 4");
    fs::write(folder.join("x.toml"), text).unwrap();
    let run = |more: &[&str]| drop(meanflow(folder).args(["run", "x.toml"]).args(more).assert().success());
    let page = || fs::read_to_string(folder.join("runs/small/report/index.html")).unwrap();
    run(&[]);
    let run_folder = "runs/small/meanflow";
    eval(folder, &[run_folder, "--samples", "8", "--metrics", "sw2", "--nearest", "auto"]);
    let numbers = fs::read(folder.join(run_folder).join("samples/nearest.json")).unwrap();
    let numbers: Value = serde_json::from_slice(&numbers).unwrap();
    assert_eq!((&numbers["step"], &numbers["nfe"]), (&2.into(), &1.into()));
    run(&[]);
    assert!(page().contains("8 samples of 1 NFE at step 2"));
    run(&["--set", "train.steps=3"]);
    assert!(!page().contains("Nearest training images"));
}

#[test]
fn what_can_be_computed_is_printed_and_what_contradicts_itself_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    pictures(&folder.join("real"), 70, 0);
    pictures(&folder.join("near"), 8, 1);
    // Eight samples have no seven neighbours in halves, nor nine at all.
    let arguments = ["eval", "near", "--real", "real", "--metrics", "fd, prdc", "--neighbours", "9"];
    let output = meanflow(folder).args(arguments).output().unwrap();
    let (said, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(number(&said, "fd_pixels") > 0.0 && !said.contains("precision"), "{said}");
    assert!(told.contains("near: prdc_pixels"), "{told}");
    // A keyed choice of the real data, which the cost follows.
    let all = eval(folder, &["near", "--real", "real", "--metrics", "fd", "--json", "--repeats", "0"]);
    let some =
        ["near", "--real", "real", "--metrics", "fd", "--json", "--repeats", "0", "--real-samples", "20"];
    let some = eval(folder, &some);
    let [all, some] = [all, some].map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
    assert_eq!(
        (&all["fd_pixels"]["reference_n"], &some["fd_pixels"]["reference_n"]),
        (&70.into(), &20.into())
    );
    assert_ne!(all["fd_pixels"]["value"], some["fd_pixels"]["value"]);
    let with = |more: &[&'static str]| [&["near", "--real", "real"], more].concat();
    for (more, word) in [
        (&["--samples", "0"][..], "at least 1"),
        (&["--kid-size", "1"], "at least 2"),
        (&["--nfe", "0"], "at least 1"),
        (&["--nfe", "1"], "--nfe is for runs"),
        (&["--metrics", "fd,,kid"], "empty name"),
        (&["--metrics", "fd,fd"], "twice"),
        (&["near"], "twice"),
        (&["--nearest", "auto"], "into a run"),
        (&["--nearest", "x.json"], ".png"),
        (&["--nearest", "nowhere/x.png"], "no such folder"),
    ] {
        refused(folder, 2, &with(more), &[word]);
    }
}

#[test]
fn points_of_a_known_density_have_a_likelihood_and_modes() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let points = crate::SMALL.replace("two-moons", "eight-gaussians");
    fs::write(folder.join("x.toml"), &points).unwrap();
    let text = eval(folder, &["x.toml", "--metrics", "nll,modes"]);
    // The entropy of the mixture: ln 8 + ln(2πe·0.15²) where the Gaussians hardly overlap.
    let entropy = 8f64.ln() + (std::f64::consts::TAU * std::f64::consts::E * 0.15 * 0.15).ln();
    assert!((number(&text, "nll") - entropy).abs() < 0.1, "{text}");
    assert_eq!(number(&text, "modes_covered"), 1.0);
    assert!(number(&text, "modes_near") > 0.97 && number(&text, "modes_imbalance") < 0.05, "{text}");
    fs::write(folder.join("y.toml"), crate::SMALL).unwrap();
    refused(folder, 2, &["y.toml", "--metrics", "nll"], &["a density that is known"]);
}
