//! Data through the binary: every source is looked at, converted and trained on; the CIFAR-10 and emoji experiments run in
//! small; files that are wrong are named.

use crate::meanflow;
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use meanflow_data::{Conversion, DataError, Dataset, Element, Field, convert};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A picture whose pixels all differ from those of other pictures.
fn byte(picture: usize, channel: usize, y: usize, x: usize) -> u8 {
    ((picture * 29 + channel * 83 + y * 7 + x * 3 + (y * x) % 5) % 256) as u8
}

/// The six files of CIFAR-10's binary version, with 20 training images in each of five.
fn cifar10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let record = |picture: usize| {
        let pixels = (0..3072).map(move |at| byte(picture, at / 1024, at / 32 % 32, at % 32));
        std::iter::once((picture % 10) as u8).chain(pixels)
    };
    for file in 0..5 {
        let bytes: Vec<u8> = (20 * file..20 * (file + 1)).flat_map(record).collect();
        fs::write(folder.join(format!("data_batch_{}.bin", file + 1)), bytes).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), (100..110).flat_map(record).collect::<Vec<u8>>()).unwrap();
}

/// The table and pictures of the emoji package, with 45 glyphs in its nine categories and two skin tones of every fifth.
fn emoji(folder: &Path) {
    let pictures = folder.join("img/google/64");
    fs::create_dir_all(&pictures).unwrap();
    let draw = |name: &str, number: usize| {
        let disc = RgbaImage::from_fn(64, 64, |x, y| {
            let from_centre = (f64::from(x) - 31.5).hypot(f64::from(y) - 31.5);
            let inside = from_centre < 10.0 + (number % 20) as f64;
            Rgba([
                byte(number, 0, 0, 0),
                byte(number, 1, 0, 0),
                byte(number, 2, 0, 0),
                255 * u8::from(inside),
            ])
        });
        disc.save(pictures.join(name)).unwrap();
    };
    let categories = [
        "Activities",
        "Animals & Nature",
        "Flags",
        "Food & Drink",
        "Objects",
        "People & Body",
        "Smileys & Emotion",
        "Symbols",
        "Travel & Places",
    ];
    let mut entries = Vec::new();
    for glyph in 0..45 {
        let name = format!("{glyph}.png");
        draw(&name, glyph);
        let mut entry = serde_json::json!({"image": name, "category": categories[glyph % 9]});
        for tone in 0..if glyph % 5 == 0 { 2 } else { 0 } {
            let name = format!("{glyph}-{tone}.png");
            draw(&name, 100 + 2 * glyph + tone);
            entry["skin_variations"][tone.to_string()] = serde_json::json!({"image": name});
        }
        entries.push(entry);
    }
    fs::write(folder.join("emoji.json"), serde_json::to_string(&entries).unwrap()).unwrap();
}

/// Three classes of six PNG pictures, 16×16.
fn pictures(folder: &Path) {
    for class in 0..3 {
        let class_folder = folder.join(format!("class-{class}"));
        fs::create_dir_all(&class_folder).unwrap();
        for k in 0..6 {
            picture(6 * class + k, 16).save(class_folder.join(format!("{k}.png"))).unwrap();
        }
    }
}

fn picture(number: usize, side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        Rgb([0, 1, 2].map(|channel| byte(number, channel, y as usize, x as usize)))
    })
}

/// Mean and standard deviation of the latents of 96 pictures and of their mirror images: what a cache of the autoencoder's
/// outputs holds.
struct Moments;

impl Dataset for Moments {
    fn name(&self) -> &str {
        "moments"
    }

    fn len(&self) -> usize {
        96
    }

    fn shape(&self) -> [usize; 3] {
        [4, 32, 32]
    }

    fn classes(&self) -> Option<usize> {
        Some(1000)
    }

    fn read(&self, _index: usize, _sample: &mut [f32]) -> Result<(), DataError> {
        unreachable!("a conversion reads the fields")
    }

    fn fields(&self) -> Vec<Field> {
        ["moments", "moments_flip"]
            .map(|name| Field { name, element: Element::F32, shape: [8, 32, 32] })
            .to_vec()
    }

    fn read_field(&self, field: usize, index: usize, values: &mut [f32]) -> Result<(), DataError> {
        for (at, value) in values.iter_mut().enumerate() {
            let (channel, y, x) = (at / 1024, at / 32 % 32, at % 32);
            let x = if field == 0 { x } else { 31 - x };
            let wave = f32::from(byte(index, channel, y, x)) / 32.0 - 4.0;
            *value = if channel < 4 { wave } else { 0.1 };
        }
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index * 10)
    }

    fn digest(&self) -> String {
        String::new()
    }

    fn held_out(&self, _count: usize, _draw: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}

/// Runs the binary, which must succeed, and returns its stdout.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = meanflow(folder).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}\n{text}");
    String::from_utf8(output.stdout).unwrap()
}

/// An experiment of one epoch with a small transformer.
fn experiment(data: &str, patch: usize) -> String {
    format!(
        "name = \"x\"\n{data}\n[net.dit]\npatch = {patch}\nwidth = 16\ndepth = 1\nheads = 2\n\
         [objective.meanflow]\nshare = 0.5\n[train]\nbatch = 16\nsteps = \"1 epoch\"\nlog = 1\n\
         [[ema]]\ndecay = 0.9\n[eval]\nnfe = [1]\ngrid = 4\nmetrics = []\n"
    )
}

/// Runs `x.toml` and returns the lines of the training log of the variant.
fn train(folder: &Path, variant: &str) -> Vec<Value> {
    done(folder, &["run", "x.toml"]);
    log(&folder.join("runs/x").join(variant))
}

fn log(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "train").collect()
}

/// Every step's loss is there and finite.
fn trained(log: &[Value], steps: usize) {
    assert_eq!(log.len(), steps);
    assert!(log.iter().all(|line| line["loss"].as_f64().is_some_and(f64::is_finite)), "{log:#?}");
}

#[test]
fn an_epoch_of_cifar10_and_of_latents() {
    let root = tempfile::tempdir().unwrap();
    cifar10(&root.path().join("cifar"));
    let text = experiment("[data.cifar10]\npath = \"cifar\"\nflip = true\naugment = { edm = {} }", 8);
    // A transformer takes no labels of augmentation: refused before anything is read.
    fs::write(root.path().join("x.toml"), &text).unwrap();
    refused(root.path(), 2, &["data.cifar10.augment", "6 labels", "x.toml:5"]);
    let unet = "[net.unet]\nwidth = 16\nmultipliers = [1, 1]\nblocks = 1\naugment-labels = 6\n";
    let dit = "[net.dit]\npatch = 8\nwidth = 16\ndepth = 1\nheads = 2\n";
    assert!(text.contains(dit));
    fs::write(root.path().join("x.toml"), text.replace(dit, unet)).unwrap();
    // 100 images in batches of 16.
    trained(&train(root.path(), "meanflow"), 6);

    let root = tempfile::tempdir().unwrap();
    let files = convert(
        &Moments,
        &root.path().join("latents"),
        Conversion { chunk_rows: 32, ..Conversion::default() },
        &mut |_| (),
    )
    .unwrap();
    assert_eq!(files.len(), 1);
    let text = experiment("[data.hdf5]\npath = \"latents\"\nflip = true", 8);
    fs::write(root.path().join("x.toml"), text).unwrap();
    trained(&train(root.path(), "meanflow"), 6);
    let run: Value =
        serde_json::from_str(&fs::read_to_string(root.path().join("runs/x/meanflow/env.json")).unwrap())
            .unwrap();
    assert_eq!(run["starts"][0]["data"]["items"], 96, "{run:#}");

    // A file that h5py wrote: gzip, shuffled bytes, big-endian, both halves.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/data/moments_big_endian.h5");
    let root = tempfile::tempdir().unwrap();
    let text = experiment(&format!("[data.hdf5]\npath = {:?}\nflip = true\nheld-out = 0.04", fixture), 2);
    fs::write(root.path().join("x.toml"), text).unwrap();
    trained(&train(root.path(), "meanflow"), 3);
}

/// The experiments as they are, with a small network and a short run on files of the same format.
#[test]
fn the_experiments_run_in_small() {
    let root = tempfile::tempdir().unwrap();
    cifar10(&root.path().join("cifar"));
    emoji(&root.path().join("emoji"));
    let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let short = ["train.batch=16", "train.microbatches=2", "train.steps=2", "train.log=1", "eval.grid=4"];
    let short = [&short[..], &["eval.metrics=[]", "eval.nfe=[1]", "optimizer.adam.warmup=2"]].concat();
    let cifar =
        ["data.cifar10.path=cifar", "net.unet.width=16", "net.unet.blocks=1", "net.unet.multipliers=[1, 1]"];
    let dit = ["data.emoji.path=emoji", "net.dit.width=16", "net.dit.depth=1", "net.dit.heads=2"];
    let unet = ["data.emoji.path=emoji", "net.unet.width=16", "net.unet.blocks=1", "data.emoji.size=32"];
    for (file, small, variants) in [
        ("cifar10/meanflow-v0", &cifar, &["meanflow"][..]),
        ("cifar10/meanflow-v1", &cifar, &["meanflow"]),
        ("cifar10/flow-matching", &cifar, &["flow-matching"]),
        ("emoji/emoji", &dit, &["meanflow", "flow-matching"]),
        ("emoji/unet-meanflow", &unet, &["meanflow"]),
    ] {
        let path = experiments.join(format!("{file}.toml"));
        let mut arguments = vec!["run", path.to_str().unwrap()];
        arguments.extend(small.iter().chain(&short).flat_map(|set| ["--set", set]));
        done(root.path(), &arguments);
        let name = path.file_stem().unwrap();
        for variant in variants {
            let run = root.path().join("runs").join(name).join(variant);
            trained(&log(&run), 2);
            assert!(
                fs::read_dir(run.join("samples")).unwrap().count() > 1,
                "a grid of real samples and of drawn ones"
            );
        }
    }
}

#[test]
fn every_source_is_inspected_converted_and_trained_on() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    cifar10(&folder.join("cifar"));
    pictures(&folder.join("pictures"));
    emoji(&folder.join("emoji"));
    convert(&Moments, &folder.join("latents"), Conversion::default(), &mut |_| ()).unwrap();
    for (name, data, patch, items) in [
        ("cifar", "[data.cifar10]\npath = \"cifar\"", 8, 100),
        ("pictures", "[data.image-folder]\npath = \"pictures\"\nsize = 8", 4, 18),
        ("emoji", "[data.emoji]\npath = \"emoji\"\nsize = 16\nheld-out = 0.0", 8, 63),
        ("fashion", "[data.fashion-mnist]\nheld-out = 0.99", 14, 100),
        ("latents", "[data.hdf5]\npath = \"latents\"", 8, 96),
        ("points", "[data.two-moons]\npoints = 200\nlabels = true", 0, 200),
    ] {
        let of = |data: &str| match patch {
            0 => experiment(data, 1).replace(
                "[net.dit]\npatch = 1\nwidth = 16\ndepth = 1\nheads = 2",
                "[net.mlp]\nwidth = 8\ndepth = 1",
            ),
            patch => experiment(data, patch),
        };
        fs::write(folder.join("x.toml"), of(data)).unwrap();
        let look = |sheet: &str| -> Value {
            let sheet = format!("{name}-{sheet}.png");
            let found = done(folder, &["data", "inspect", "x.toml", "--out", &sheet, "--json"]);
            assert!(image::open(folder.join(sheet)).unwrap().width() > 40);
            serde_json::from_str(&found).unwrap()
        };
        let before = look("before");
        assert_eq!(before["items"], items, "{name}");
        // Shards of about a third of the set.
        let out = format!("{name}.converted");
        let files =
            done(folder, &["data", "convert", "x.toml", "--out", &out, "--chunk", "8", "--shard", "1"]);
        assert!(files.lines().all(|file| folder.join(file).is_file()), "{files}");
        fs::write(folder.join("x.toml"), of(&format!("[data.hdf5]\npath = \"{out}\""))).unwrap();
        let after = look("after");
        for key in ["items", "shape", "classes"] {
            assert_eq!(before[key], after[key], "{name}: {key}");
        }
        for (before, after) in
            before["channels"].as_array().unwrap().iter().zip(after["channels"].as_array().unwrap())
        {
            // Latents are drawn from their moments by the row, and rows have changed places.
            let tolerance = if name == "latents" { 0.02 } else { 1e-6 };
            let close =
                |key: &str| (before[key].as_f64().unwrap() - after[key].as_f64().unwrap()).abs() < tolerance;
            assert!(["minimum", "maximum", "mean", "std"].into_iter().all(close), "{name}: {before} {after}");
        }
        let steps = (items as f64 / 16.0).round() as usize;
        trained(&train(folder, "meanflow"), steps);
        fs::remove_dir_all(folder.join("runs")).unwrap();
    }
}

/// Only the data of a file is read: a network that does not fit, or none at all, is no matter.
#[test]
fn data_is_looked_at_without_a_network() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    pictures(&folder.join("pictures"));
    fs::write(folder.join("pictures/class-0/notes.txt"), "").unwrap();
    let data = "[data.image-folder]\npath = \"pictures\"";
    for text in [data.to_owned(), experiment(data, 5)] {
        fs::write(folder.join("x.toml"), text).unwrap();
        let found = done(folder, &["data", "inspect", "x.toml"]);
        assert!(found.contains("items    18\n") && found.contains("passed over  1 .txt\n"), "{found}");
        done(folder, &["data", "convert", "x.toml", "--out", "out"]);
        fs::remove_dir_all(folder.join("out")).unwrap();
    }
    fs::write(folder.join("x.toml"), experiment(data, 4)).unwrap();
    fs::remove_dir_all(folder.join("pictures")).unwrap();
    let output = meanflow(folder).args(["data", "inspect", "x.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && said.contains("with a folder for each class; see docs/data.md"),
        "{said}"
    );
}

/// Runs `x.toml` and checks exit code and message.
fn refused(folder: &Path, code: i32, words: &[&str]) {
    let output = meanflow(folder).args(["run", "x.toml"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn broken_latents_are_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let file: PathBuf =
        convert(&Moments, &folder.join("latents"), Conversion::default(), &mut |_| ()).unwrap()[0].clone();
    let name = file.file_name().unwrap().to_str().unwrap();
    let with = |keys: &str| {
        let text = experiment(&format!("[data.hdf5]\npath = \"latents\"\n{keys}"), 8);
        fs::write(folder.join("x.toml"), text).unwrap();
    };
    with("encoding = \"latents\"");
    fs::write(
        folder.join("x.toml"),
        fs::read_to_string(folder.join("x.toml"))
            .unwrap()
            .replace("latents\"\nenc", "latents\"\nclasses = 900\nenc"),
    )
    .unwrap();
    refused(folder, 1, &[name, "label", "is not among 900 classes"]);
    with("shape = [3, 32, 32]");
    refused(folder, 1, &[name, "`moments`", "[4, 32, 32]", "[3, 32, 32]"]);
    with("images = \"labels\"");
    refused(folder, 1, &[name, "`labels`"]);
    let whole = fs::read(&file).unwrap();
    with("");
    for length in [whole.len() / 3, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        refused(folder, 1, &[name]);
    }
    fs::write(&file, b"no HDF5 at all").unwrap();
    refused(folder, 1, &[name]);
}

#[test]
fn broken_pictures_are_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let set = folder.join("pictures/class");
    fs::create_dir_all(&set).unwrap();
    picture(0, 8).save(set.join("00000.png")).unwrap();
    let one = fs::read(set.join("00000.png")).unwrap();
    for k in 1..10_000 {
        fs::write(set.join(format!("{k:05}.png")), &one).unwrap();
    }
    let text = experiment("[data.image-folder]\npath = \"pictures\"", 4);
    fs::write(folder.join("x.toml"), &text).unwrap();
    // Its header is whole, its pixels are not.
    fs::write(set.join("07351.png"), &one[..one.len() - 30]).unwrap();
    refused(folder, 1, &["07351.png"]);
    let output = meanflow(folder).args(["data", "convert", "x.toml", "--out", "out"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("07351.png"), "{said}");
    assert!(!folder.join("out").exists() || fs::read_dir(folder.join("out")).unwrap().next().is_none());
    picture(1, 9).save(set.join("07351.png")).unwrap();
    refused(folder, 1, &["07351.png", "9×9", "8×8", "00000.png"]);
}

#[test]
fn broken_cifar10_files_are_named() {
    let root = tempfile::tempdir().unwrap();
    let set = root.path().join("cifar");
    cifar10(&set);
    fs::write(root.path().join("x.toml"), experiment("[data.cifar10]\npath = \"cifar\"", 8)).unwrap();
    let mut bytes = fs::read(set.join("data_batch_4.bin")).unwrap();
    bytes[7 * 3073] = 12;
    fs::write(set.join("data_batch_4.bin"), &bytes).unwrap();
    refused(root.path(), 1, &["data_batch_4.bin", "label 12 of item 7", "10 classes"]);
    fs::write(set.join("data_batch_4.bin"), &bytes[..5000]).unwrap();
    refused(root.path(), 1, &["data_batch_4.bin", "5000"]);
}
