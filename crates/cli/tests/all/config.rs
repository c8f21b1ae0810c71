//! `config show`.

use crate::{SMALL, meanflow};
use std::fs;

#[test]
fn what_is_shown_of_one_variant_is_an_experiment_file() {
    let root = tempfile::tempdir().unwrap();
    let variants =
        "[[variant]]\nname = \"half\"\n[[variant]]\nname = \"none\"\nobjective.meanflow.share = 0.0\n";
    fs::write(root.path().join("x.toml"), [SMALL, variants].concat()).unwrap();
    let show = |file: &str, options: &[&str]| {
        let output = meanflow(root.path()).args(["config", "show", file]).args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let both = show("x.toml", &[]);
    let one = show("x.toml", &["--variant", "none"]);
    assert!(both.ends_with(&one) && both.len() > one.len(), "{both}");
    fs::write(root.path().join("y.toml"), &one).unwrap();
    assert_eq!(show("y.toml", &[]), one);
    let unknown =
        meanflow(root.path()).args(["config", "show", "x.toml", "--variant", "all"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there are half, none"));
}
