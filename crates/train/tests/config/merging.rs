//! `extends`, `[[variant]]` and `--set`: what wins, and relative to what.

use super::{IMAGES, SMALL, folder, load, load_in};
use meanflow_core::objective::Objectives;
use meanflow_data::FashionMnistConfig;
use meanflow_train::config::{Comparison, Variant};

const TWO: &str = r#"
[[variant]]
name = "meanflow"
train.batch = 8

[[variant]]
name = "flow-matching"
objective.flow-matching = {}
eval.nfe = [50]
"#;

/// `key = value` of every variant.
fn values(comparison: &Comparison, key: &str) -> Vec<Option<String>> {
    let value = |variant: &Variant| {
        variant
            .resolved
            .keys()
            .into_iter()
            .find(|(name, _)| name == key)
            .map(|(_, entry)| entry.value.clone())
    };
    comparison.variants.iter().map(value).collect()
}

/// What `key` is in the two variants of `TWO` after `--set` of `overrides`.
#[track_caller]
fn check(overrides: &[&str], key: &str, expected: [Option<&str>; 2]) {
    let comparison = load(&format!("{SMALL}{TWO}"), overrides).unwrap_or_else(|error| panic!("{error}"));
    let expected = expected.map(|value| value.map(str::to_owned)).to_vec();
    assert_eq!(values(&comparison, key), expected, "{overrides:?}");
}

#[test]
fn variants_change_a_few_keys() {
    check(&[], "train.batch", [Some("8"), Some("32")]);
    check(&[], "train.steps", [Some("\"100 steps\""); 2]);
    check(&[], "objective.meanflow.share", [Some("0.25"), None]);
    check(&[], "objective.flow-matching.weight.p", [None, Some("0.0")]);
    check(&[], "eval.nfe", [Some("[1, 2, 4]"), Some("[50]")]);
    check(&[], "eval.solver", [Some("\"meanflow\""), Some("\"euler\"")]);
}

#[test]
fn a_file_without_variants_has_one_named_after_its_objective() {
    let one = load(SMALL, &[]).unwrap();
    assert_eq!((one.name.as_str(), one.variants.len()), ("experiment", 1));
    assert_eq!(one.variants[0].name, "meanflow");
    let other = load(SMALL, &["objective.flow-matching={}"]).unwrap();
    assert_eq!(other.variants[0].name, "flow-matching");
}

#[test]
fn overrides_win_over_file_and_variants() {
    check(&["train.batch=4"], "train.batch", [Some("4"); 2]);
    check(&["train.batch=4", "train.batch=5"], "train.batch", [Some("5"); 2]);
    check(&["eval.nfe=[1]"], "eval.nfe", [Some("[1]"); 2]);
    check(&["name=other"], "name", [Some("\"other\""); 2]);
    check(&["train.checkpoint=2k steps"], "train.checkpoint", [Some("\"2000 steps\""); 2]);
    check(&["train.clip = 1"], "train.clip", [Some("1.0"); 2]);
}

/// The baseline does not become the other method because a key of the other method was set.
#[test]
fn a_key_of_a_kind_is_for_the_variants_that_have_it() {
    let variants = "[[variant]]\nname = \"base\"\n[[variant]]\nname = \"other\"\nobjective.soflow = {}\n";
    let text = format!("{SMALL}{variants}");
    let kinds = |set: &str| {
        let variants = load(&text, &[set]).unwrap().variants;
        variants.iter().map(|variant| variant.objective.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("objective.soflow.velocity-share=0.5"), ["meanflow", "soflow"]);
    assert_eq!(kinds("objective.meanflow.share=0.5"), ["meanflow", "soflow"]);
    // Nobody has it, so it is chosen.
    assert_eq!(kinds("objective.ect.q=4.0"), ["ect", "soflow"]);
    assert_eq!(kinds("objective={soflow={}}"), ["soflow", "soflow"]);
}

#[test]
fn an_override_of_a_kind_leaves_variants_alone_that_chose_another() {
    check(&["objective.meanflow.share=0.75"], "objective.meanflow.share", [Some("0.75"), None]);
    let set = "objective.flow-matching.weight.p=0.5";
    check(&[set], "objective.flow-matching.weight.p", [None, Some("0.5")]);
    check(&["net.mlp.width=8"], "net.mlp.width", [Some("8"); 2]);
}

#[test]
fn a_kind_replaces_the_other_kind() {
    let comparison = load(IMAGES, &["net.mlp={width=8, depth=1}"]).unwrap();
    assert_eq!(values(&comparison, "net.dit.patch"), [None]);
    assert_eq!(values(&comparison, "net.mlp.width"), [Some("8".to_owned())]);
}

#[test]
fn optional_values_can_be_switched_off_again() {
    let text = format!(
        "{SMALL}clip = 1.0\n[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\ntrain.clip = \"off\"\n"
    );
    let comparison = load(&text, &[]).unwrap();
    assert_eq!(comparison.variants[0].train.clip, Some(1.0));
    assert_eq!(comparison.variants[1].train.clip, None);
}

#[test]
fn extending() {
    let child = "extends = \"sub/base.toml\"\n[train]\nsteps = 7\n[objective.flow-matching]\n";
    let base = format!("name = \"base\"\nseed = 3\n{SMALL}");
    let folder = folder(&[("child.toml", child.as_bytes()), ("sub/base.toml", base.as_bytes())]);
    let comparison = load_in(&folder, "child.toml", &[]).unwrap_or_else(|error| panic!("{error}"));
    let [variant] = &comparison.variants[..] else { panic!("one variant") };
    // The name is not inherited: two experiments would share a run folder.
    assert_eq!((comparison.name.as_str(), comparison.text.as_str()), ("child", child));
    assert_eq!((variant.seed, variant.train.batch, variant.train.steps), (3, 32, 7));
    assert_eq!(variant.objective.name(), "flow-matching");
    let shown = variant.resolved.to_toml_with_origins();
    assert!(shown.contains("sub/base.toml:2\n"), "{shown}");
    assert!(shown.contains("child.toml:3\n"), "{shown}");
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let data = |comparison: &Comparison| {
        let data = comparison.variants[0].data.get::<FashionMnistConfig>();
        data.and_then(|data| data.path.clone()).expect("fashion-mnist with a path")
    };
    let base = IMAGES.replace("flip = true", "path = \"../data/x\"");
    let child = "extends = \"sub/base.toml\"\n";
    let folder = folder(&[("child.toml", child.as_bytes()), ("sub/base.toml", base.as_bytes())]);
    let comparison = load_in(&folder, "child.toml", &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(data(&comparison), folder.path().canonicalize().unwrap().join("data/x"));
    let comparison = load_in(&folder, "child.toml", &["data.fashion-mnist.path=y"]).unwrap();
    assert_eq!(data(&comparison), std::env::current_dir().unwrap().join("y"));
}

#[test]
fn seeds_and_sweeps_are_variants() {
    let text = format!("seeds = [3, 4]\n{SMALL}{TWO}\n[sweep]\nobjective.meanflow.share = [0.5, 1.0]\n");
    let comparison = load(&text, &[]).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = comparison.variants.iter().map(|variant| variant.name.as_str()).collect();
    let expected = [
        "meanflow+share=0.5+seed=3",
        "meanflow+share=0.5+seed=4",
        "meanflow+share=1.0+seed=3",
        "meanflow+share=1.0+seed=4",
        "flow-matching+seed=3",
        "flow-matching+seed=4",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        comparison.variants.iter().map(|variant| variant.seed).collect::<Vec<_>>(),
        [3, 4, 3, 4, 3, 4]
    );
    let shares = ["0.5", "0.5", "1.0", "1.0"].map(|share| Some(share.to_owned()));
    assert_eq!(values(&comparison, "objective.meanflow.share")[..4], shares);
    // Each reads back as one run.
    for variant in &comparison.variants {
        let again = load(&variant.resolved.to_toml(), &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((again.variants.len(), &again.variants[0].name), (1, &variant.name));
    }
    // Without `[[variant]]`, runs are named after the objective.
    let alone = load(&format!("seeds = [1, 2]\n{SMALL}"), &["seeds=[5]"]).unwrap();
    assert_eq!(alone.variants[0].name, "meanflow+seed=5");
}
