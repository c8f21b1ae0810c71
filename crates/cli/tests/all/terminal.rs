//! What a terminal gets, from `script` of util-linux, which makes one.

use std::process::{Command, Stdio};

#[test]
fn no_color_is_obeyed_on_a_terminal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("x.toml"), "nonsense = 1\n").expect("a writable folder");
    let binary = assert_cmd::cargo::cargo_bin("meanflow");
    let said = |no_color: Option<&str>| {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("'{}' run x.toml", binary.display()), "/dev/null"]);
        script.current_dir(folder.path()).env_remove("NO_COLOR");
        script.envs(no_color.map(|value| ("NO_COLOR", value)));
        let output = script.stdin(Stdio::null()).output().expect("script, of util-linux");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("unknown key `nonsense`"), "{said}");
        said
    };
    // Empty is as if it were not there.
    assert!(said(None).contains("\x1b[") && said(Some("")).contains("\x1b["));
    assert!(!said(Some("1")).contains('\x1b') && !said(Some("0")).contains('\x1b'));
}
