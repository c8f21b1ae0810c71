//! Values that are out of range or do not fit each other, and the message they get.

use super::{IMAGES, SMALL, check, folder, load, load_in, says, with};
use meanflow_core::objective::{ObjectiveConfig, ScaleLaw};
use meanflow_metrics::{Given, METRICS, Named};

#[test]
fn augmentation_needs_a_network_that_is_told_of_it() {
    let augmented = with(IMAGES, "flip = true", "augment = { edm = {} }");
    says(
        augmented.clone(),
        &[],
        "`data.fashion-mnist.augment` tells the network by 6 labels what was done; this one takes 0",
        "only a network with `augment-labels`, such as `[net.unet]`, takes such labels; leave `augment` out",
    );
    let unet = |labels: &str| format!("net={{unet={{width=16, multipliers=[1, 2], blocks=1{labels}}}}}");
    says(
        augmented.clone(),
        &[&unet("")],
        "`data.fashion-mnist.augment` tells the network by 6 labels what was done; this one takes 0",
        "write `augment-labels = 6` in `[net.unet]`",
    );
    load(&augmented, &[&unet(", augment-labels=6")]).unwrap_or_else(|error| panic!("{error}"));
    // Without augmentation the labels are zeros.
    load(IMAGES, &[&unet(", augment-labels=6")]).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_wrong_size_of_a_network_is_told() {
    let said = |key: &str| {
        let net = "net={dit={patch=5, width=126, depth=1, heads=4}}";
        let error = load(IMAGES, &[net]).unwrap_err().to_string();
        assert!(error.contains(key), "{key} is not in {error}");
    };
    said("patch 5 does not divide the image size 28×28");
    said("heads 4 does not divide width 126");
    said("width 126 is not a multiple of 4");
}

#[test]
fn listed_times_have_their_own_number_of_evaluations() {
    let times = "eval.times=[1.0, 0.4, 0.0]";
    let loaded = load(SMALL, &[times, "eval.nfe=[2]"]).unwrap();
    assert_eq!(loaded.variants[0].eval.times.to_string(), "1,0.4,0");
    let expected = "`eval.times` lists 2 steps, which are 2 evaluations of `meanflow`, and `eval.nfe` has 1 (from --set)";
    says(SMALL, &[times, "eval.nfe=[1, 2]"], expected, "set `nfe = [2]`");
    for (wrong, said) in [
        ("[1.0, 0.4]", "the times go from 1 to 0.4, not from 1 to 0"),
        ("[1.0, 0.4, 0.6, 0.0]", "times must fall from noise (1) to data (0), but 0.6 follows 0.4"),
        ("[1.0, 2.0, 0.0]", "must be between 0 and 1"),
    ] {
        let error = load(SMALL, &[&format!("eval.times={wrong}")]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    for shown in ["{ edm = { rho = 5.0 } }", "{ shifted = { shift = 2.0 } }", "\"uniform\""] {
        load(SMALL, &[&format!("eval.times={shown}")]).unwrap();
    }
}

/// An experiment file takes every name that `meanflow eval` takes, and means the same by it.
#[test]
fn every_score_may_be_asked_for() {
    let files = ["eval.inception=\"i.pth\"", "eval.classifier=\"c.safetensors\""];
    for (text, given) in [(SMALL, Given::Rows), (IMAGES, Given::Images)] {
        let files = if given == Given::Images { &files[..] } else { &[] };
        let names = Named::names(METRICS, given);
        for name in &names {
            let metrics = format!("eval.metrics=[\"{name}\"]");
            let experiment = load(text, &[files, &[&metrics]].concat()).unwrap();
            let [found] = &experiment.variants[0].eval.metrics[..] else { panic!("one") };
            assert_eq!(found.label, *name);
        }
        let unknown = super::refused(text.as_bytes(), &["eval.metrics=[\"fod\"]"]);
        assert!(names.iter().all(|name| unknown.contains(name.as_str())), "{unknown}");
    }
    let labels = |set: &str| -> Vec<String> {
        let metrics = load(IMAGES, &[set]).unwrap().variants[0].eval.metrics.clone();
        metrics.into_iter().map(|named| named.label).collect()
    };
    assert_eq!(labels("eval.metrics=[\"w2\",\"kid\"]"), ["w2_pixels", "kid_pixels"]);
    let refused = super::refused(IMAGES.as_bytes(), &["eval.metrics=[\"fid\"]"]);
    assert!(refused.contains("published weights") && refused.contains("eval.inception"), "{refused}");
}

#[test]
fn w2_of_too_many_points_is_refused() {
    for set in [&["eval.samples=100000"][..], &["eval.samples=100000", "eval.metrics=[\"w2\"]"]] {
        let expected = "`eval.samples` = 100000: `w2` takes at most 16384 samples (from --set)";
        says(SMALL, set, expected, "ask for fewer, or leave `w2` out of `metrics`");
    }
    load(SMALL, &["eval.samples=100000", "eval.metrics=[\"energy\"]"]).unwrap();
    load(SMALL, &["eval.samples=16384", "eval.metrics=[\"w2\"]"]).unwrap();
}

#[test]
fn values_out_of_range() {
    check(
        with(IMAGES, "share = 0.5", "share = 1.5"),
        &[],
        r"
error: `objective.meanflow.share` must be between 0 and 1, found 1.5
  --> experiment.toml:11:9
   |
11 | share = 1.5
   |         ^^^ must be between 0 and 1
",
    );
    for (set, expected) in [
        ("objective.meanflow.share=-0.1", "`objective.meanflow.share` must be between 0 and 1, found -0.1"),
        ("objective.meanflow.share=nan", "`objective.meanflow.share` must be finite, found nan"),
        (
            "objective.meanflow.label-dropout=1",
            "`objective.meanflow.label-dropout` must be at least 0 and below 1, found 1",
        ),
        ("objective.meanflow.weight.p=-1", "`objective.meanflow.weight.p` must be at least 0, found -1"),
        ("objective.meanflow.weight.eps=0", "`objective.meanflow.weight.eps` must be above 0, found 0"),
        (
            "objective.meanflow.time.logit-normal.std=0",
            "`objective.meanflow.time.logit-normal.std` must be above 0, found 0",
        ),
        ("ema=[{decay=1}]", "`ema.decay` must be at least 0 and below 1, found 1"),
        ("ema=[{half-life=\"0 images\"}]", "`ema.half-life` must be above 0, found \"0 images\""),
        ("train.batch=0", "`train.batch` must be at least 1, found 0"),
        ("train.batch=-3", "`train.batch` must be at least 1, found -3"),
        (
            "train.batch=99999999999999999999",
            "`train.batch` must be at most 16777216, found 99999999999999999999",
        ),
        ("train.steps=0", "`train.steps` must be at least 1 steps, found 0"),
        (
            "train.steps=99999999999999999999",
            "`train.steps` must be at most 9007199254740992 steps, found 99999999999999999999",
        ),
        ("net.dit.width=100000", "`net.dit.width` must be at most 65536, found 100000"),
        ("seed=9223372036854775808", "`seed` must be at most 9223372036854775807, found 9223372036854775808"),
        ("train.steps=-1", "`train.steps` must be at least 0, found -1"),
        ("train.clip=0", "`train.clip` must be above 0, found 0"),
        ("train.keep-last=0", "`train.keep-last` must be at least 1, found 0"),
        ("optimizer.adam.lr=0", "`optimizer.adam.lr` must be above 0, found 0"),
        ("optimizer.adam.lr=inf", "`optimizer.adam.lr` must be finite, found inf"),
        (
            "optimizer.adam.betas=[0.9, 1.0]",
            "`optimizer.adam.betas` must be at least 0 and below 1, found [0.9, 1.0]",
        ),
        ("seed=-1", "`seed` must be at least 0, found -1"),
        ("eval.samples=1", "`eval.samples` must be at least 2, found 1"),
        ("eval.nfe=[]", "`eval.nfe` must not be empty, found []"),
        ("eval.nfe=[1, 1]", "`eval.nfe`: holds 1 twice"),
        ("eval.nfe=[0]", "`eval.nfe` must be at least 1, found [0]"),
        ("data.fashion-mnist.path=\"\"", "`data.fashion-mnist.path` must not be empty, found \"\""),
        (
            "data.fashion-mnist.size=20",
            "`data.fashion-mnist.size` = 20: images of 28×28 can only be padded, to at most 4096",
        ),
        (
            "data.fashion-mnist.split=train",
            "`data.fashion-mnist.split` = train: needs `path`: only the 10,000 test images are built in",
        ),
    ] {
        let refused = super::refused(IMAGES.as_bytes(), &[set]);
        let first = format!("error: {expected} (from --set)");
        assert_eq!(refused.lines().next(), Some(first.as_str()), "{set}\n{refused}");
        assert_eq!(refused.matches("error: ").count(), 1, "{refused}");
    }
}

#[test]
fn keys_that_do_not_fit_each_other() {
    check(
        with(IMAGES, "heads = 4", "heads = 5"),
        &[],
        r"
error: `net.dit.heads`: heads 5 does not divide width 128
 --> experiment.toml:8:9
  |
8 | heads = 5
  |         ^
",
    );
    for (set, expected) in [
        ("net.dit.patch=5", "`net.dit.patch`: patch 5 does not divide the image size 28×28"),
        (
            "net.dit={patch=7, width=6, depth=1, heads=3}",
            "`net.dit.width`: width 6 is not a multiple of 4, which the position embedding needs",
        ),
        (
            "eval={solver=\"heun\", nfe=[1]}",
            "`eval.nfe`: 1 is not a multiple of 2, the evaluations that a step of `heun` costs",
        ),
        (
            "eval={solver=\"rk4\", nfe=[4, 6]}",
            "`eval.nfe`: 6 is not a multiple of 4, the evaluations that a step of `rk4` costs",
        ),
        ("eval.metrics=[\"accuracy\"]", "`eval.metrics`: `accuracy` needs a classifier"),
        ("eval.metrics=[\"kid\",\"kid_pixels\"]", "`eval.metrics`: holds \"kid_pixels\" twice"),
        ("objective={flow-matching={}, meanflow={}}", "`objective` has 2 kinds: `flow-matching`, `meanflow`"),
        (
            "objective.meanflow.guidance.interval=[0.8, 0.2]",
            "`objective.meanflow.guidance.interval` ends at 0.2 before it begins at 0.8",
        ),
        ("ema=[{decay=0.9},{decay=0.9}]", "a second average of the weights with decay 0.9"),
        ("ema=[{decay=0.9, half-life=\"1 kimg\"}]", "an average has a `decay` or a `half-life`, not both"),
        ("train.checkpoint=\"200\"", "`train.checkpoint`: `200` is not a period"),
        ("train.checkpoint=\"1.5 steps\"", "`train.checkpoint`: 1.5 steps is not a whole number of steps"),
    ] {
        let refused = super::refused(IMAGES.as_bytes(), &[set]);
        let first = format!("error: {expected} (from --set)");
        assert_eq!(refused.lines().next(), Some(first.as_str()), "{set}\n{refused}");
        assert_eq!(refused.matches("error: ").count(), 1, "{refused}");
    }
    for (set, expected, help) in [
        (
            "objective.meanflow.label-dropout=0.1",
            "`objective.meanflow.label-dropout`: the data has no classes",
            "leave it out, or use data with labels",
        ),
        (
            "objective.meanflow.guidance.omega=2",
            "`objective.meanflow.guidance`: guidance needs classes, the data has none",
            "leave it out, or use data with labels",
        ),
    ] {
        says(SMALL, &[set], &format!("{expected} (from --set)"), help);
    }
    says(
        SMALL,
        &["objective.flow-matching={}", "eval.solver=meanflow"],
        "`eval.solver`: `meanflow` needs what `flow-matching` does not learn (from --set)",
        "use one of `euler`, `heun`, `midpoint`, `rk4`",
    );
    says(
        IMAGES,
        &["objective.meanflow.label-dropout=0", "objective.meanflow.guidance.omega=2"],
        "`objective.meanflow.label-dropout` must be above 0: guidance needs a trained null class (from --set)",
        "",
    );
    let points = with(SMALL, "[data.two-moons]", "[data.points]\npath = \"p.csv\"");
    says(
        points,
        &["train.log=\"1 epoch\""],
        "`train.log`: epochs cannot be counted: the number of samples is not known (from --set)",
        "write an integer (steps) or a text such as \"200 steps\", \"2k steps\", \"1 epoch\", \"10000 images\", \"500 kimg\"",
    );
}

#[test]
fn what_only_some_variants_have() {
    let variants = "[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\neval.solver = \"heun\"\n[[variant]]\nname = \"c\"\neval.solver = \"heun\"\n";
    says(
        format!("{SMALL}[eval]\nnfe = [1]\n{variants}"),
        &[],
        "`eval.nfe`: 1 is not a multiple of 2, the evaluations that a step of `heun` costs, in variant `b`, `c`",
        "",
    );
}

#[test]
fn data_that_cannot_be_looked_at_is_no_fault_of_the_file() {
    let text = with(IMAGES, "[data.fashion-mnist]", "[data.idx]\nimages = \"none.gz\"");
    let folder = folder(&[("experiment.toml", text.as_bytes())]);
    let error = load_in(&folder, "experiment.toml", &[]).unwrap_err();
    assert!(error.is_about_data(), "{error}");
    assert_eq!(error.problems.len(), 1, "{error}");
    let other = load_in(&folder, "experiment.toml", &["train.batch=0"]).unwrap_err();
    assert!(!other.is_about_data(), "{other}");
}

#[test]
fn networks_that_do_not_fit() {
    let unet = |keys: &str| {
        with(
            IMAGES,
            "[net.dit]\npatch = 7\nwidth = 128\ndepth = 4\nheads = 4\n",
            &format!("[net.unet]\n{keys}"),
        )
    };
    let good = "width = 16\nmultipliers = [1, 2, 2]\nblocks = 1\n";
    assert!(load(&unet(good), &[]).is_ok());
    for (keys, problem) in [
        (
            "preset = \"tiny\"\n".to_owned(),
            "`net.unet.attention`: no level has images of side 16; the sides are [28, 14, 7]",
        ),
        (
            good.replace("2, 2", "2, 2, 2"),
            "`net.unet.multipliers`: an image of side 28 cannot be halved 3 times",
        ),
        (good.replace("16", "34"), "`net.unet.width`: 34 channels do not make 8 equal groups to normalise"),
        (format!("{good}filter = [1, 2, 1]\n"), "`net.unet.filter`: a filter of 3 taps"),
        (format!("{good}dropout = 1.0\n"), "`net.unet.dropout` must be at least 0 and below 1"),
        (good.replace("[1, 2, 2]", "[]"), "`net.unet.multipliers` must have at least 1 entries"),
    ] {
        let error = load(&unet(&keys), &[]).unwrap_err().to_string();
        assert!(error.contains(problem), "{keys}\n{error}");
    }
}

#[test]
fn guidance_needs_a_network_that_takes_it() {
    let imf = "net={imf-dit={preset=\"nano7\"}}";
    let set = "objective={imf={guidance={}}}";
    let error = load(IMAGES, &[set]).unwrap_err().to_string();
    assert!(error.contains("this network does not take guidance as an input"), "{error}");
    assert!(load(IMAGES, &[imf, set]).is_ok());
    // At sampling any network with classes can be guided.
    let set = "eval={guidance={omega=2.0}}";
    assert!(load(IMAGES, &[set]).is_ok() && load(IMAGES, &[imf, set]).is_ok());
    let error = load(SMALL, &[set]).unwrap_err().to_string();
    assert!(error.contains("guidance needs classes, the data has none"), "{error}");
    let error = load(IMAGES, &["eval={guidance={omega=0.5}}"]).unwrap_err().to_string();
    assert!(error.contains("must be at least 1"), "{error}");
    let error = load(IMAGES, &[imf, "eval={guidance={interval=[0.6, 0.4]}}"]).unwrap_err().to_string();
    assert!(error.contains("ends at 0.4 before it begins at 0.6"), "{error}");
    let error = load(IMAGES, &[imf, "objective={imf={guidance={max=0.5}}}"]).unwrap_err().to_string();
    assert!(error.contains("must be at least 1"), "{error}");
    let imf = load(IMAGES, &[imf, "objective={imf={}}"]).unwrap();
    let ObjectiveConfig::Imf(objective) = &imf.variants[0].objective else { panic!("imf") };
    assert_eq!(objective.guidance, Some(ScaleLaw { max: 8.0, beta: 1.0 }));
    assert_eq!((objective.share, objective.label_dropout), (0.5, 0.1));
}
