//! The resolved file: every key, defaults included, that reads back as itself; where each key came from; what changed.

use super::{IMAGES, SMALL, folder, load, load_in};
use meanflow_nets::Networks as _;
use meanflow_train::config::{Comparison, Plan, StartFrom, Variant};
use proptest::prelude::*;
use std::path::Path;

const FULL: &str = r#"
[data.eight-gaussians]
labels = true

[net.mlp]
width = 16
depth = 2

[objective.meanflow]
time-r = "uniform"
guidance = { omega = 2.0, interval = [0.1, 0.8] }

[train]
batch = 32
steps = "2 epochs"
keep-every = "1k steps"

[optimizer.adamw]
weight-decay = 1e-2

[[ema]]
decay = 0.99
ramp = false

[[ema]]
half-life = "100 kimg"

[[variant]]
name = "meanflow"

[[variant]]
name = "euler"
eval.solver = "euler"
"#;

/// Loads the resolved text of each variant and compares what it says with what it came from.
fn reads_back(comparison: &Comparison) {
    for variant in &comparison.variants {
        let text = variant.resolved.to_toml();
        let folder = folder(&[("config.toml", text.as_bytes())]);
        let again = load_in(&folder, "config.toml", &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let [resolved] = &again.variants[..] else { panic!("one variant") };
        assert_eq!(resolved.resolved.to_toml(), text);
        assert_eq!(again.name, comparison.name);
        let same = Variant { resolved: variant.resolved.clone(), ..resolved.clone() };
        assert_eq!(&same, variant);
        assert_eq!(Variant::differences(variant, resolved), []);
    }
}

#[test]
fn a_resolved_file_reads_back_as_itself() {
    for text in [SMALL, IMAGES, FULL] {
        reads_back(&load(text, &[]).unwrap_or_else(|error| panic!("{error}")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn numbers_survive(lr in 1e-12f64..1e3, eps in 1e-30f64..1.0, share in 0.0f64..=1.0, seed in 0..i64::MAX) {
        let overrides = [
            format!("optimizer.adam={{lr={lr:e}, eps={eps:e}}}"),
            format!("objective.meanflow.share={share:?}"),
            format!("seed={seed}"),
        ];
        let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
        let comparison = load(SMALL, &overrides).unwrap();
        let variant = &comparison.variants[0];
        prop_assert_eq!((variant.optimizer.adam().lr, variant.optimizer.adam().eps), (lr, eps));
        prop_assert_eq!(variant.seed, seed as u64);
        reads_back(&comparison);
    }
}

#[test]
fn every_key_with_its_default_in_a_fixed_order() {
    let expected = r#"name = "experiment"
seed = 0

[data.two-moons]
points = 100000
seed = 0
labels = false
noise = 0.08

[net.mlp]
width = 16
depth = 2
octaves = 0
clock = "t,h"

[init]
weights = "random"
prefix = "auto"
partial = false
run = "off"
variant = "off"
average = "first"
step = "last"
keep-flow = true

[objective.meanflow]
time.logit-normal.mean = -0.4
time.logit-normal.std = 1.0
time-r.logit-normal.mean = -0.4
time-r.logit-normal.std = 1.0
pairing = "v0"
share = 0.25
share-draw = "prefix"
weight.p = 1.0
weight.eps = 0.01
label-dropout = 0.0
guidance = "off"
derivative = "jvp"
tangent = "v,0,1"

[train]
batch = 32
microbatches = 1
precision = "f32"
steps = "100 steps"
clip = "off"
checkpoint = "500 steps"
keep-last = 2
keep-every = "off"
log = "50 steps"

[optimizer.adam]
lr = 0.0001
betas = [0.9, 0.95]
eps = 1e-8
warmup = "0 steps"

[eval]
every = "100 steps"
samples = 2000
solver = "meanflow"
nfe = [1, 2, 4]
times = "uniform"
seed = 0
metrics = ["w2", "sliced_w2", "energy"]
repeats = 20
grid = 64

[[variant]]
name = "meanflow"
"#;
    assert_eq!(load(SMALL, &[]).unwrap().variants[0].resolved.to_toml(), expected);
}

/// A score of points needs as many real ones: of 300 points, a tenth is set aside.
#[test]
fn no_more_samples_than_points_to_compare_with() {
    let points: String = (0..300).map(|i| format!("{i} {}\n", i * i)).collect();
    let text = SMALL.replace("[data.two-moons]", "[data.points]\npath = \"points.txt\"");
    let files: [(&str, &[u8]); 2] = [("experiment.toml", text.as_bytes()), ("points.txt", points.as_bytes())];
    let folder = folder(&files);
    for (overrides, expected) in [
        (&[][..], 30),
        (&["data.points.held-out=0.5"], 150),
        (&["data.points.held-out=0"], 300),
        (&["eval.samples=40"], 40),
    ] {
        let comparison = load_in(&folder, "experiment.toml", overrides).unwrap();
        assert_eq!(comparison.variants[0].eval.samples, expected, "{overrides:?}");
    }
    std::fs::remove_file(folder.path().join("points.txt")).unwrap();
    assert_eq!(load_in(&folder, "experiment.toml", &[]).unwrap().variants[0].eval.samples, 2000);
}

#[test]
fn where_each_key_came_from() {
    let text = format!("{SMALL}[[variant]]\nname = \"a\"\ntrain.log = 5\n");
    let folder = folder(&[("experiment.toml", text.as_bytes())]);
    let comparison = load_in(&folder, "experiment.toml", &["train.batch=8"]).unwrap();
    let shown = comparison.variants[0].resolved.to_toml_with_origins();
    let file = folder.path().join("experiment.toml");
    for (key, origin) in [
        ("width = 16", format!("{}:4", file.display())),
        ("batch = 8", "--set".to_owned()),
        ("log = \"5 steps\"", format!("{}:14", file.display())),
        ("clip = \"off\"", "default".to_owned()),
        ("name = \"a\"", format!("{}:13", file.display())),
    ] {
        let line =
            shown.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}\n{shown}"));
        assert_eq!(line.split_once("  # ").map(|(_, origin)| origin), Some(origin.as_str()));
    }
    assert_eq!(
        toml::from_str::<toml::Table>(&shown).unwrap(),
        toml::from_str(&comparison.variants[0].resolved.to_toml()).unwrap()
    );
}

#[test]
fn what_changed() {
    let variant = |overrides: &[&str]| load(IMAGES, overrides).unwrap().variants.remove(0);
    let changes = |before: &[&str], after: &[&str]| {
        let differences = Variant::differences(&variant(before), &variant(after));
        let show = |value: &Option<String>| value.clone().unwrap_or("-".to_owned());
        let lines =
            differences.iter().map(|d| format!("{}: {} -> {}", d.key, show(&d.before), show(&d.after)));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(changes(&[], &["train.steps=\"100 steps\""]), Vec::<String>::new());
    assert_eq!(changes(&[], &["train.clip=1"]), ["train.clip: \"off\" -> 1.0"]);
    assert_eq!(changes(&["ema=[{decay=0.9}]"], &[]), ["ema.0.decay: 0.9 -> -", "ema.0.ramp: true -> -"]);
    // Where the data lies is not what it is.
    let elsewhere = "data.fashion-mnist.path=elsewhere";
    assert_eq!(
        changes(&[], &[elsewhere, "data.fashion-mnist.split=test"]),
        ["data.fashion-mnist.split: \"auto\" -> \"test\""]
    );
}

#[test]
fn a_plan_needs_neither_weights_nor_data() {
    let comparison =
        load(IMAGES, &["data.fashion-mnist.path=/nowhere", "net.dit.preset=b4", "net.dit.patch=4"]).unwrap();
    let comparison = Comparison { name: "big".to_owned(), ..comparison };
    let plan = Plan::new(&comparison, Path::new("runs"));
    let variant = &plan.variants[0];
    assert_eq!(variant.parameters, comparison.variants[0].net.parameters([1, 28, 28], Some(10)));
    assert_eq!((variant.steps, variant.images, variant.evaluations), (100, 6400, 1));
    assert!(variant.memory_bytes > 4 * 4 * variant.parameters as u64);
    // Of samples beyond what is made at a time, 64 coordinates each; real images.
    let more = |overrides: &[&str]| {
        let comparison = load(IMAGES, overrides).unwrap();
        Plan::new(&comparison, Path::new("runs")).variants[0].memory_evaluation_bytes
    };
    let (few, many) = (more(&["eval.samples=2000"]), more(&["eval.samples=50000"]));
    assert_eq!(many - few, 8 * 48_000 * 64);
    assert!(few > 4 * (2 * 1000 + 10_000) * 784 + 8 * 3 * 784 * 784, "{few}");
    assert!(variant.files.contains(&"runs/big/meanflow/samples/step-*-ema-*-nfe-*.png (3)".to_owned()));
    assert_eq!(plan.report, "runs/big/report/index.html");
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["variants"][0]["parameters"], variant.parameters);
    let shown = plan.to_string();
    assert!(shown.contains(&format!("parameters   {}\n", variant.parameters)), "{shown}");
    // It says that the data would have to be got first.
    let missing = "not there: cannot read /nowhere: No such file or directory (os error 2); `meanflow data fetch fashion-mnist` gets it into datasets/fashion-mnist";
    assert!(shown.contains(&format!("             {missing}\n")), "{shown}");
    assert!(missing.ends_with(json["variants"][0]["data_missing"].as_str().unwrap()), "{json:#}");
    let built_in = Plan::new(&load(IMAGES, &[]).unwrap(), Path::new("runs"));
    assert_eq!((&built_in.variants[0].data_missing, &built_in.variants[0].weights_missing), (&None, &None));
    let weights = load(IMAGES, &["init.weights=nowhere.pth"]).unwrap();
    assert!(Plan::new(&weights, Path::new("runs")).to_string().contains("weights      not there: "));
}

#[test]
fn a_start_from_a_variant_is_that_of_its_seed_and_sweep() {
    let variants = "[[variant]]\nname = \"tuned\"\ninit.variant = \"flow\"\n\
        [[variant]]\nname = \"flow\"\nobjective.flow-matching = {}\n";
    let text = format!("seeds = [0, 1]\n{SMALL}{variants}[sweep]\nobjective.meanflow.share = [0.25, 0.5]\n");
    let comparison = load(&text, &[]).unwrap();
    let starts: Vec<(String, String)> = comparison
        .variants
        .iter()
        .filter_map(|variant| match &variant.init.run.as_ref()?.from {
            StartFrom::Variant(name) => Some((variant.name.clone(), name.clone())),
            StartFrom::Path(_) => None,
        })
        .collect();
    // The flow has no such share.
    let expected = ["0.25", "0.5"].iter().flat_map(|share| {
        [0, 1].map(|seed| (format!("tuned+share={share}+seed={seed}"), format!("flow+seed={seed}")))
    });
    assert_eq!(starts, expected.collect::<Vec<_>>());
    let chosen: Vec<_> = comparison.variants.iter().collect();
    let phases = Comparison::phases(&chosen);
    let names = |phase: &[&Variant]| phase.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (phases.len(), names(&phases[0])),
        (2, vec!["flow+seed=0".to_owned(), "flow+seed=1".to_owned()])
    );
    // A folder of it holds the name.
    assert!(comparison.variants[0].resolved.to_toml().contains("variant = \"flow+seed=0\""));

    let rows =
        "[[sweep]]\nname = \"small\"\nnet.mlp.width = 8\n[[sweep]]\nname = \"large\"\nnet.mlp.width = 16\n";
    let comparison = load(&format!("{SMALL}{variants}{rows}"), &[]).unwrap();
    let text = comparison.variants[0].resolved.to_toml();
    assert!(text.contains("variant = \"flow+small\""), "{text}");

    let wrong =
        |old: &str, new: &str| load(&format!("{SMALL}{}", variants.replace(old, new)), &[]).unwrap_err();
    let said = wrong("init.variant = \"flow\"", "init.variant = \"fow\"").to_string();
    assert!(said.contains("no variant is called `fow`; there are tuned, flow"), "{said}");
    let said = wrong("init.variant = \"flow\"", "init.variant = \"tuned\"").to_string();
    assert!(said.contains("cannot start from itself"), "{said}");
    let said = wrong("objective.flow-matching = {}", "init.variant = \"tuned\"").to_string();
    assert!(said.contains("in a circle"), "{said}");
    let said = wrong("objective.flow-matching = {}", "objective.ect = {}").to_string();
    assert!(said.contains("outputs something else"), "{said}");
}
