//! Files that are no experiments: what is unknown, missing, misspelt or of another type, and the message it gets.

use super::{IMAGES, SMALL, check, folder, load_in, message, says, with};
use meanflow_core::objective::{ObjectiveConfig, Objectives};
use proptest::prelude::*;

#[test]
fn unknown_key() {
    check(
        with(SMALL, "steps = 100", "stepz = 100"),
        &[],
        r"
error: unknown key `stepz` in `[train]`
  --> experiment.toml:11:1
   |
11 | stepz = 100
   | ^^^^^
   |
   = help: did you mean `steps`?
",
    );
    let objective =
        |line: &str| with(SMALL, "[objective.meanflow]", &format!("[objective.meanflow]\n{line}"));
    says(
        objective("label_dropout = 0"),
        &[],
        "unknown key `label_dropout` in `[objective.meanflow]`",
        "did you mean `label-dropout`?",
    );
    says(
        objective("weight = { q = 1 }"),
        &[],
        "unknown key `q` in `[objective.meanflow.weight]`",
        "valid names: `p`, `eps`",
    );
    says(format!("sede = 1\n{SMALL}"), &[], "unknown key `sede` in the experiment", "did you mean `seed`?");
    says(format!("{SMALL}[evil]\n"), &[], "unknown key `evil` in the experiment", "did you mean `eval`?");
    says(
        format!("{SMALL}[[ema]]\ndecai = 0.9\n"),
        &[],
        "unknown key `decai` in `[ema]`",
        "did you mean `decay`?",
    );
    says(
        format!("{SMALL}[[variant]]\nname = \"a\"\nnet.mlp.widht = 3\n"),
        &[],
        "unknown key `widht` in `[net.mlp]`",
        "did you mean `width`?",
    );
}

#[test]
fn from_the_command_line() {
    check(
        SMALL,
        &["train.step=5"],
        r"
error: unknown key `step` in `[train]` (from --set)
 --> --set:1:7
  |
1 | train.step=5
  |       ^^^^
  |
  = help: did you mean `steps`?
",
    );
    says(SMALL, &["train.batch=many"], "`train.batch`: expected an integer, found a string (from --set)", "");
    says(SMALL, &["train"], "expected `key=value` (from --set)", "for example --set train.steps=100");
    says(
        SMALL,
        &["=3"],
        "not valid TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_` (from --set)",
        "",
    );
    says(SMALL, &["eval.nfe=[1,2"], "not valid TOML: unclosed array, expected `]` (from --set)", "");
    says(
        SMALL,
        &["train.steps="],
        "not valid TOML: string values must be quoted, expected literal string (from --set)",
        "",
    );
    says(SMALL, &["extends=a.toml"], "`extends` can only be written in the file (from --set)", "");
    says(SMALL, &["variant.a.seed=1"], "`variant` can only be written in the file (from --set)", "");
    says(SMALL, &["seed=1\nname=\"x\""], "expected one `key=value` (from --set)", "");
    says(
        format!("variant = [1]\n{SMALL}"),
        &["seed=1"],
        "`variant`: expected a list of tables, found an integer",
        "write `[[variant]]` above each variant",
    );
    let replaced = format!("{SMALL}[[variant]]\nname = \"a\"\nobjective.flow-matching = {{}}\n");
    says(
        replaced,
        &["objective.meanflow.share=0.1"],
        "no variant has `objective.meanflow` (from --set)",
        "every variant chooses another kind",
    );
}

#[test]
fn files_that_are_no_toml() {
    says(
        "",
        &[],
        "the experiment file is empty",
        "it needs at least [data.…], [net.…], [objective.…] and [train]",
    );
    says(
        "# only a comment\n",
        &[],
        "the experiment file is empty",
        "it needs at least [data.…], [net.…], [objective.…] and [train]",
    );
    says(
        b"name = \"a\"\nseed = \xff\n",
        &[],
        "experiment.toml is not UTF-8 text: byte 0xff in line 2",
        "the file is to be TOML; save it as UTF-8",
    );
    check(
        with(SMALL, "width = 16", "width = "),
        &[],
        r"
error: not valid TOML: string values must be quoted, expected literal string
 --> experiment.toml:4:9
  |
4 | width = 
  |         ^
",
    );
    says(with(SMALL, "depth = 2", "width = 2"), &[], "not valid TOML: duplicate key", "");
    says(with(SMALL, "[net.mlp]", "[net.mlp"), &[], "not valid TOML: unclosed table, expected `]`", "");
    let empty = folder(&[]);
    let error = load_in(&empty, "missing.toml", &[]).unwrap_err();
    assert_eq!(
        message(empty.path(), &error),
        "error: cannot read the experiment file missing.toml: No such file or directory (os error 2)"
    );
}

#[test]
fn wrong_types() {
    check(
        with(SMALL, "steps = 100", "steps = true"),
        &[],
        r"
error: `train.steps`: expected a period, found a boolean
  --> experiment.toml:11:9
   |
11 | steps = true
   |         ^^^^ expected a period
",
    );
    for (set, expected) in [
        ("net.mlp.width=1.5", "`net.mlp.width`: expected an integer, found a number"),
        ("net.mlp.width=\"1\"", "`net.mlp.width`: expected an integer, found a string"),
        ("optimizer.adam.lr=\"x\"", "`optimizer.adam.lr`: expected a number, found a string"),
        (
            "optimizer.adam.betas=[0.9]",
            "`optimizer.adam.betas`: expected a list of two numbers, found a list",
        ),
        ("eval.nfe=4", "`eval.nfe`: expected a list, found an integer"),
        ("eval.nfe=[1, 2.0]", "`eval.nfe`: expected an integer, found a list"),
        ("ema=[1]", "`ema`: expected a table, found an integer"),
        ("train=3", "`train`: expected a table, found an integer"),
        ("data.two-moons.labels=1", "`data.two-moons.labels`: expected true or false, found an integer"),
        ("train.clip=[]", "`train.clip`: expected a number or \"off\", found a list"),
        ("seed=1979-05-27", "`seed`: expected an integer, found a date"),
        ("name=3", "`name`: expected a string, found an integer"),
        ("objective.meanflow.weight=1", "`objective.meanflow.weight`: expected a table, found an integer"),
        (
            "objective.meanflow.guidance=1",
            "`objective.meanflow.guidance`: expected a table or \"off\", found an integer",
        ),
    ] {
        says(SMALL, &[set], &format!("{expected} (from --set)"), "");
    }
    says(
        with(SMALL, "[net.mlp]\nwidth = 16\ndepth = 2", "[[net]]"),
        &[],
        "`net`: expected a table of one kind, found a list",
        "write `[net.dit]`",
    );
    says(
        with(SMALL, "[net.mlp]\nwidth = 16\ndepth = 2", "[net]\nmlp = 2"),
        &[],
        "`net.mlp`: expected a table, found an integer",
        "",
    );
    says(
        format!("{SMALL}[ema]\ndecay = 0.9\n"),
        &[],
        "`ema`: expected a list of tables, found a table",
        "write `[[ema]]`",
    );
    says(
        format!("{SMALL}[variant]\nname = \"a\"\n"),
        &[],
        "`variant`: expected a list of tables, found a table",
        "write `[[variant]]` above each variant",
    );
    says(
        format!("variant = [1]\n{SMALL}"),
        &[],
        "`variant`: expected a list of tables, found an integer",
        "write `[[variant]]` above each variant",
    );
    says(format!("extends = 1\n{SMALL}"), &[], "`extends`: expected a path", "");
}

#[test]
fn names_that_are_none() {
    for (name, must) in [
        ("a/b", "be one folder, without a slash"),
        ("a\\\\b", "be one folder, without a slash"),
        ("", "not be empty"),
        (".", "not begin with a dot"),
        ("..", "not begin with a dot"),
        (" ", "have no blanks"),
        ("a b", "have no blanks"),
        ("-a", "not begin with a hyphen"),
        ("a:b", "consist of letters, digits and `-_.+=`"),
    ] {
        let found = format!("found \"{name}\"");
        says(format!("name = \"{name}\"\n{SMALL}"), &[], &format!("`name` must {must}, {found}"), "");
        let variant = format!("{SMALL}[[variant]]\nname = \"{name}\"\n");
        says(variant, &[], &format!("`variant.name` must {must}, {found}"), "");
    }
    says(
        format!("{SMALL}[[variant]]\nname = \"report\"\n"),
        &[],
        "`variant.name` must not be `report`, the folder of the report, found \"report\"",
        "",
    );
    let folder = folder(&[("a b.toml", SMALL.as_bytes())]);
    let error = load_in(&folder, "a b.toml", &[]).unwrap_err();
    assert_eq!(
        error.problems[0].message,
        "the file's own name cannot be that of the experiment: it must have no blanks"
    );
}

#[test]
fn variants_that_do_not_differ_in_name() {
    check(
        format!("{SMALL}[[variant]]\nname = \"a\"\n[[variant]]\nname = \"a\"\n"),
        &[],
        r#"
error: two variants are named `a`
  --> experiment.toml:15:8
   |
15 | name = "a"
   |        ^^^
   |
   = help: each needs a folder of its own
"#,
    );
    says(format!("{SMALL}[[variant]]\nseed = 1\n"), &[], "missing key `name` in `[[variant]]`", "");
    says(format!("variant = []\n{SMALL}"), &[], "`variant` lists nothing", "leave it out for one variant");
}

#[test]
fn kinds() {
    check(
        format!("{SMALL}[net.dit]\npatch = 7\n"),
        &[],
        r"
error: `net` has 2 kinds: `dit`, `mlp`
  --> experiment.toml:12:6
   |
12 | [net.dit]
   |      ^^^
   |
   = help: keep one of them
",
    );
    says(with(SMALL, "net.mlp", "net.mpl"), &[], "`net` has no kind `mpl`", "did you mean `mlp`?");
    says(with(SMALL, "net.mlp", "net.vit"), &[], "`net` has no kind `vit`", "did you mean `dit`?");
    says(
        with(SMALL, "objective.meanflow", "objective.mean-flow"),
        &[],
        "`objective` has no kind `mean-flow`",
        "did you mean `meanflow`?",
    );
    says(with(SMALL, "data.two-moons", "data"), &[], "`data` names no kind", "write `[data.fashion-mnist]`");
    says(format!("{SMALL}[optimizer]\n"), &[], "`optimizer` names no kind", "write `[optimizer.adam]`");
    says(with(SMALL, "[objective.meanflow]\n", ""), &[], "missing table `[objective.…]`", &objectives());
    says(
        with(SMALL, "[objective.meanflow]", "[objective.meanflow]\ntime = \"uniforn\""),
        &[],
        "`objective.meanflow.time`: is not a law of time",
        "write \"uniform\", { logit-normal = { … } } or { atan-normal = { … } }",
    );
    says(
        with(SMALL, "[objective.meanflow]", "[objective.meanflow]\npairing = \"v2\""),
        &[],
        "`objective.meanflow.pairing` has no choice \"v2\"",
        "valid names: `v0`, `v1`",
    );
    says(
        with(IMAGES, "patch = 7", "preset = \"b44\"\npatch = 7"),
        &[],
        "`net.dit.preset` has no choice \"b44\"",
        "did you mean `b4`?",
    );
}

/// What to add where no objective is chosen.
fn objectives() -> String {
    let names: Vec<String> =
        ObjectiveConfig::NAMES.iter().map(|(name, _)| format!("`[objective.{name}]`")).collect();
    let (last, others) = names.split_last().unwrap();
    format!("add {} or {last}", others.join(", "))
}

#[test]
fn keys_that_are_missing() {
    check(
        with(SMALL, "depth = 2", ""),
        &[],
        r"
error: missing key `net.mlp.depth`
 --> experiment.toml:3:1
  |
3 | [net.mlp]
  | ^^^^^^^^^
  |
  = help: add `depth` to `[net.mlp]`
",
    );
    let expected = r"
error: missing table `[data.…]`
--> experiment.toml
 = help: add `[data.fashion-mnist]`, `[data.mnist]`, `[data.idx]`, `[data.cifar10]`, `[data.cifar100]`, `[data.image-folder]`, `[data.emoji]`, `[data.hdf5]`, `[data.eight-gaussians]`, `[data.checkerboard]`, `[data.two-moons]`, `[data.two-spirals]`, `[data.swiss-roll]`, `[data.points]` or `[data.silhouette]`

error: missing table `[net.…]`
--> experiment.toml
 = help: add `[net.dit]`, `[net.imf-dit]`, `[net.unet]` or `[net.mlp]`

error: missing table `[objective.…]`
--> experiment.toml
 = help: OBJECTIVES

error: missing key `train.batch`
--> experiment.toml
 = help: add `batch` to `[train]`

error: missing key `train.steps`
--> experiment.toml
 = help: add `steps` to `[train]`

5 problems, nothing was started
";
    check("seed = 1", &[], &expected.replace("OBJECTIVES", &objectives()));
    says(format!("{SMALL}[[ema]]\n"), &[], "missing key `ema.decay`", "add `decay` to `[ema]`");
    says(
        with(SMALL, "data.two-moons", "data.points"),
        &[],
        "missing key `data.points.path`",
        "add `path` to `[data.points]`",
    );
}

#[test]
fn all_problems_at_once_each_once() {
    let text = with(&with(IMAGES, "heads = 4", "heads = 5"), "share = 0.5", "share = 1.5");
    let text = format!("{text}[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\ntrain.batch = 0\n");
    check(
        text,
        &["train.stepz=1"],
        r"
error: `net.dit.heads`: heads 5 does not divide width 128
 --> experiment.toml:8:9
  |
8 | heads = 5
  |         ^

error: `objective.meanflow.share` must be between 0 and 1, found 1.5
  --> experiment.toml:11:9
   |
11 | share = 1.5
   |         ^^^ must be between 0 and 1

error: `train.batch` must be at least 1, found 0, in variant `b`
  --> experiment.toml:20:15
   |
20 | train.batch = 0
   |               ^ must be at least 1

error: unknown key `stepz` in `[train]` (from --set)
 --> --set:1:7
  |
1 | train.stepz=1
  |       ^^^^^
  |
  = help: did you mean `steps`?

4 problems, nothing was started
",
    );
}

#[test]
fn extending_what_is_not_there() {
    let load = |files: &[(&str, &[u8])]| {
        let folder = folder(files);
        let error = load_in(&folder, "a.toml", &[]).unwrap_err();
        message(folder.path(), &error)
    };
    assert_eq!(
        load(&[("a.toml", b"extends = \"b.toml\"")]),
        r#"
error: cannot read the experiment file b.toml: No such file or directory (os error 2)
 --> a.toml:1:11
  |
1 | extends = "b.toml"
  |           ^^^^^^^^
"#
        .trim()
    );
    assert_eq!(
        load(&[("a.toml", b"extends = \"b.toml\""), ("b.toml", b"extends = \"a.toml\"")]),
        r#"
error: `extends` goes round in a circle: a.toml extends itself
 --> b.toml:1:11
  |
1 | extends = "a.toml"
  |           ^^^^^^^^
"#
        .trim()
    );
    let message = load(&[
        ("a.toml", b"extends = \"b.toml\"\n"),
        ("b.toml", b"seed = true\n[train]\nbatch = 1\nsteps = 1\n"),
    ]);
    assert!(message.contains("--> b.toml:1:8"), "{message}");
}

#[test]
fn no_colour_unless_asked_for() {
    let error = super::load(&with(SMALL, "steps", "stepz"), &[]).unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'));
    assert!(error.render(true).contains('\u{1b}'));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    /// Whatever is typed, there is an experiment or a message.
    #[test]
    fn no_text_makes_it_panic(at in 0usize..1000, cut in 0usize..12, typed in "[\\PC\n\"\\[\\]{}=.#0-9]{0,8}", set in "[a-z.]{0,12}=?\\PC{0,6}") {
        let text = format!("{IMAGES}{SMALL}[[ema]]\nhalf-life = \"1 kimg\"\n[[variant]]\nname = \"é\"\neval.nfe = [1]\n");
        let text: Vec<char> = if at % 2 == 0 { text.chars().collect() } else { text[IMAGES.len()..].chars().collect() };
        let at = at % text.len();
        let rest = &text[(at + cut).min(text.len())..];
        let text: String = text[..at].iter().copied().chain(typed.chars()).chain(rest.iter().copied()).collect();
        for overrides in [&[][..], &[set.as_str()]] {
            if let Err(error) = super::load(&text, overrides) {
                prop_assert!(!error.problems.is_empty());
                prop_assert!(error.to_string().starts_with("error: "));
            }
        }
    }
}
