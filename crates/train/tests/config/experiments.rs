//! The files of `experiments/`, and the quickstart as the design fixes it.

use super::load;
use meanflow_core::{
    objective::ObjectiveConfig,
    solver::Solver,
    time::{Pairing, Split, TimeLaw},
};
use meanflow_data::FashionMnistConfig;
use meanflow_nets::Networks as _;
use meanflow_optim::{Adam, OptimizerConfig, ema::Profile};
use meanflow_train::config::{Comparison, EvalConfig, Plan};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn experiment(name: &str) -> Comparison {
    let path = root().join("experiments").join(name);
    Comparison::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// Every key of the fixed form of the quickstart, in its spelling.
const FIXED: &str = r#"
name = "quickstart"            # run folder; default: the file's stem
seed = 0

[data.fashion-mnist]           # a kind is a table: [data.*], [net.*], [objective.*], [optimizer.*]
path = "../datasets/fashion-mnist-10k"   # inputs are relative to this file
flip = true

[net.dit]
patch = 7
width = 128
depth = 4
heads = 4

[objective.meanflow]
share = 0.5                    # of rows with r != t
time = { logit-normal = { mean = -0.4, std = 1.0 } }
weight = { p = 1.0, eps = 0.01 }
label-dropout = 0.1

[train]
batch = 64
steps = 2700
clip = 1.0
checkpoint = "200 steps"

[optimizer.adam]
lr = 1e-3
betas = [0.9, 0.95]
warmup = "200 steps"

[[ema]]
decay = 0.999

[eval]
every = "900 steps"
samples = 2000
nfe = [1, 2, 4]
metrics = ["fd_pca64"]

[[variant]]
name = "meanflow"

[[variant]]
name = "flow-matching"
objective.flow-matching = { time = { logit-normal = { mean = -0.4, std = 1.0 } } }   # a kind table replaces the kind
eval.nfe = [1, 2, 4, 50]
"#;

#[test]
fn the_fixed_form_means_what_it_says() {
    let comparison = load(FIXED, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(comparison.name, "quickstart");
    assert_eq!(comparison.text, FIXED);
    let [meanflow, matching] = &comparison.variants[..] else { panic!("two variants") };

    assert_eq!((meanflow.name.as_str(), matching.name.as_str()), ("meanflow", "flow-matching"));
    assert_eq!((meanflow.description.shape, meanflow.description.classes), ([1, 28, 28], Some(10)));
    assert!(meanflow.data.flip());
    let train = &meanflow.train;
    assert_eq!((train.batch, train.steps, train.clip, train.checkpoint), (64, 2700, Some(1.0), 200));
    assert_eq!((train.keep_last, train.keep_every, train.log), (2, None, 50));
    let OptimizerConfig::Adam(Adam(adam)) = &meanflow.optimizer else { panic!("adam") };
    assert_eq!((adam.lr, adam.betas, adam.eps, adam.warmup), (1e-3, [0.9, 0.95], 1e-8, 200));
    let [ema] = &meanflow.ema[..] else { panic!("one average") };
    assert_eq!((ema.profile, ema.label.as_str()), (Profile::Constant { decay: 0.999, ramp: true }, "0.999"));
    let eval = &meanflow.eval;
    assert_eq!((eval.every, eval.samples, eval.solver, eval.grid), (900, 2000, Solver::MeanFlow, 64));
    assert_eq!((&eval.nfe[..], labels(eval)), (&[1, 2, 4][..], vec!["fd_pca64"]));
    let ObjectiveConfig::MeanFlow(objective) = &meanflow.objective else { panic!("meanflow") };
    assert_eq!(objective.time, TimeLaw::LogitNormal { mean: -0.4, std: 1.0 });
    assert_eq!(objective.time_r, Some(objective.time));
    assert_eq!((objective.share, objective.pairing, objective.split), (0.5, Pairing::V0, Split::Prefix));
    assert_eq!((objective.weight.p, objective.weight.eps, objective.label_dropout), (1.0, 0.01, 0.1));
    assert_eq!(objective.guidance, None);

    let ObjectiveConfig::FlowMatching(objective) = &matching.objective else { panic!("flow matching") };
    assert_eq!(objective.time, TimeLaw::LogitNormal { mean: -0.4, std: 1.0 });
    assert_eq!((objective.weight.p, objective.label_dropout), (0.0, 0.0));
    assert_eq!((&matching.eval.nfe[..], matching.eval.solver), (&[1, 2, 4, 50][..], Solver::Euler));
    assert_eq!((&matching.net, &matching.train), (&meanflow.net, &meanflow.train));
}

#[test]
fn the_quickstart() {
    let comparison = experiment("quickstart.toml");
    let [meanflow, matching] = &comparison.variants[..] else { panic!("two variants") };
    let data = meanflow.data.get::<FashionMnistConfig>().expect("fashion-mnist");
    let folder = root().canonicalize().unwrap().join("datasets/fashion-mnist-10k");
    assert_eq!(data.path.as_deref(), Some(folder.as_path()));
    assert!(data.flip);
    let ObjectiveConfig::FlowMatching(objective) = &matching.objective else { panic!("flow matching") };
    assert_eq!((objective.weight.p, objective.label_dropout), (0.5, 0.1));
    let plan = Plan::new(&comparison, Path::new("runs"));
    assert_eq!(plan.variants[0].parameters, plan.variants[1].parameters);
    assert_eq!((plan.variants[0].steps, plan.variants[0].images), (2700, 172_800));
}

#[test]
fn every_experiment_is_valid_and_begins_with_its_facts() {
    let mut count = 0;
    let mut folders = vec![root().join("experiments")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let comparison = <Comparison>::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(Some(comparison.name.as_ref()), path.file_stem(), "{path:?}");
            for fact in ["Purpose:", "Paper:", "Run:", "Time:", "Expect:"] {
                let header = comparison.text.lines().take_while(|line| line.starts_with('#'));
                let found = header.into_iter().any(|line| line[1..].trim_start().starts_with(fact));
                assert!(found, "{path:?} does not begin with a comment that has {fact}");
            }
            count += 1;
        }
    }
    assert!(count >= 20, "{count} experiments");
}

/// The constants of the paper's appendix and of the official scripts.
#[test]
fn cifar10_is_as_published() {
    let [v0, v1, matching] = ["meanflow-v0", "meanflow-v1", "flow-matching"]
        .map(|name| experiment(&format!("cifar10/{name}.toml")).variants.remove(0));
    for variant in [&v0, &v1, &matching] {
        assert_eq!((variant.description.shape, variant.description.classes), ([3, 32, 32], None));
        assert_eq!(variant.description.items, Some(50_000));
        assert_eq!(variant.net.parameters([3, 32, 32], None), 55_932_419);
        assert_eq!((variant.train.batch, variant.train.steps, variant.train.clip), (1024, 800_000, None));
        let OptimizerConfig::Adam(Adam(adam)) = &variant.optimizer else { panic!("adam") };
        assert_eq!((adam.lr, adam.betas, adam.eps, adam.warmup), (6e-4, [0.9, 0.999], 1e-8, 10_000));
        let averages: Vec<Profile> = variant.ema.iter().map(|ema| ema.profile).collect();
        assert_eq!(averages, [0.99995, 0.9999, 0.9996].map(|decay| Profile::Constant { decay, ramp: false }));
        let augment = variant.data.augment().expect("augmentation");
        let factors = [augment.xflip, augment.scale, augment.aniso, augment.translate];
        assert_eq!((augment.p, factors, variant.data.flip()), (0.12, [1e8, 1.0, 1.0, 1.0], true));
    }
    let law = |mean, std| TimeLaw::LogitNormal { mean, std };
    for (variant, t, r, pairing) in [
        (&v0, law(-2.0, 2.0), law(-2.0, 2.0), Pairing::V0),
        (&v1, law(-0.6, 1.6), law(-4.0, 1.6), Pairing::V1),
    ] {
        let ObjectiveConfig::MeanFlow(objective) = &variant.objective else { panic!("meanflow") };
        assert_eq!((objective.time, objective.time_r), (t, Some(r)));
        assert_eq!((objective.pairing, objective.share, objective.split), (pairing, 0.75, Split::Random));
        assert_eq!((objective.weight.p, objective.weight.eps, objective.label_dropout), (0.75, 1e-3, 0.0));
    }
    let ObjectiveConfig::FlowMatching(objective) = &matching.objective else { panic!("flow matching") };
    assert_eq!((objective.time, objective.weight.p), (TimeLaw::Uniform, 0.0));
}

/// What is scored, by name.
fn labels(eval: &EvalConfig) -> Vec<&str> {
    eval.metrics.iter().map(|named| named.label.as_str()).collect()
}

#[test]
fn toys_compare_the_two_objectives() {
    for name in ["eight-gaussians", "checkerboard", "two-moons", "two-spirals", "swiss-roll"] {
        let comparison = experiment(&format!("toy/{name}.toml"));
        let names: Vec<&str> = comparison.variants.iter().map(|variant| variant.name.as_str()).collect();
        assert_eq!(names, ["meanflow", "flow-matching"]);
        for variant in &comparison.variants {
            assert_eq!(variant.data.name(), name);
            assert_eq!(labels(&variant.eval), ["w2", "energy"]);
            assert_eq!((variant.description.shape, variant.description.classes), ([2, 1, 1], None));
        }
        assert!(comparison.variants[1].eval.nfe.contains(&50));
    }
}
