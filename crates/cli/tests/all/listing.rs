//! `runs` and `diff`.

use crate::{SMALL, meanflow};
use serde_json::Value;
use std::fs;

fn said(folder: &std::path::Path, args: &[&str]) -> String {
    let output = meanflow(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn runs_are_listed_and_compared() {
    let root = tempfile::tempdir().unwrap();
    let variants = "\n[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\nobjective.meanflow = { share = 0.25 }\ntrain.steps = 40\n";
    fs::write(root.path().join("x.toml"), format!("{SMALL}{variants}").replace("steps = 400", "steps = 100"))
        .unwrap();
    said(root.path(), &["run", "x.toml"]);

    let all = said(root.path(), &["runs"]);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), 3, "{all}");
    assert!(
        lines[0].starts_with("run ") && lines[0].contains("state") && lines[0].contains("scores"),
        "{all}"
    );
    assert!(lines[1].contains("runs/small/a") && lines[1].contains("finished  100/100  energy@1 "), "{all}");
    assert!(lines[2].contains("40/40"), "{all}");
    let few = said(root.path(), &["runs", "runs", "--filter", "train.steps<100", "--json"]);
    let few: Value = serde_json::from_str(&few).unwrap();
    assert_eq!((few.as_array().unwrap().len(), &few[0]["variant"]), (1, &"b".into()));
    assert_eq!(few[0]["scores"].as_array().unwrap().len(), 2);
    let sorted = said(root.path(), &["runs", "--sort=-step"]);
    assert!(sorted.find("small/a").unwrap() < sorted.find("small/b").unwrap(), "{sorted}");

    let both = said(root.path(), &["diff", "runs/small/a", "runs/small/b"]);
    assert!(both.contains("objective.meanflow.share") && both.contains("train.steps"), "{both}");
    assert!(both.contains("energy@1 (meanflow, 0.99)") && !both.contains('≠'), "{both}");
    let json: Value =
        serde_json::from_str(&said(root.path(), &["diff", "runs/small/a", "runs/small/b", "--json"]))
            .unwrap();
    let keys: Vec<&str> =
        json["configuration"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["objective.meanflow.share", "train.steps"]);
    assert_eq!(json["scores"][0]["comparable"], true);
    assert_eq!(
        said(root.path(), &["diff", "runs/small/a", "runs/small/a", "--json"]).matches("\"key\"").count(),
        0
    );

    for (args, part, code) in [
        (&["runs", "nowhere"][..], "nowhere", 1),
        (&["runs", "--filter", "step"], "is no condition", 2),
        (&["runs", "--filter", "stat=finished"], "no run has `stat`", 2),
        (&["runs", "--sort", "kid"], "no run has `kid`", 2),
        (&["diff", "runs/small/a", "x.toml"], "x.toml is not a run folder", 1),
    ] {
        let output = meanflow(root.path()).args(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && error.contains(part), "{args:?}: {error}");
    }
}
