//! Networks as ONNX files, read back with the messages that wrote them.

use crate::{meanflow, write_small};
use meanflow_onnx::{
    ModelProto,
    evaluate::{Array, evaluate},
    proto::Length,
};
use std::fs;

#[test]
fn an_exported_generator_gives_the_samples_of_its_run() {
    let root = tempfile::tempdir().unwrap();
    write_small(root.path(), "steps = 400", "steps = 60");
    meanflow(root.path()).args(["run", "x.toml"]).assert().success();
    let run = "runs/small/meanflow";
    for nfe in ["1", "2"] {
        meanflow(root.path()).args(["export", run, "--nfe", nfe, "--out", "x.onnx"]).assert().success();
        let arguments = ["sample", run, "-n", "50", "--seed", "7", "--nfe", nfe, "--out", "points.csv"];
        meanflow(root.path()).args(arguments).assert().success();
        let file = ModelProto::from_bytes(&fs::read(root.path().join("x.onnx")).unwrap()).unwrap();
        assert_eq!(file.described("experiment"), Some("small/meanflow"));
        assert_eq!((file.described("nfe"), file.described("step")), (Some(nfe), Some("60")));

        let noise = meanflow_core::Streams::new(7).normal("eval-noise", 0, 100);
        let samples = evaluate(&file, &[("noise", Array::floats(&[50, 2, 1, 1], &noise))]).unwrap();
        let text = fs::read_to_string(root.path().join("points.csv")).unwrap();
        let expected: Vec<f64> =
            text.lines().flat_map(|line| line.split(',')).map(|number| number.parse().unwrap()).collect();
        assert_eq!(samples[0].values.len(), expected.len());
        for (ours, theirs) in samples[0].values.iter().zip(expected) {
            assert!((ours - theirs).abs() <= 1e-5, "{ours} and {theirs}");
        }
    }
    meanflow(root.path())
        .args(["export", run, "--raw", "--format", "onnx", "--out", "raw"])
        .assert()
        .success();
    let file = ModelProto::from_bytes(&fs::read(root.path().join("raw")).unwrap()).unwrap();
    let graph = file.graph.unwrap();
    let inputs: Vec<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["z", "r", "t"]);
    let shape = graph.output[0].r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap();
    let axes: Vec<Length> = shape.dim.into_iter().map(|dim| dim.length.unwrap()).collect();
    assert_eq!(axes[..2], [Length::Param("batch".to_owned()), Length::Value(2)]);

    // What a page is not made of.
    let refused = |arguments: &[&str], code: i32, word: &str| {
        let output = meanflow(root.path()).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(word) && !text.contains("panicked"), "{text}");
    };
    refused(&["export", run, "--nfe", "0", "--out", "a.onnx"], 2, "at least one");
    refused(&["export", run, "--solver", "none", "--out", "a.onnx"], 2, "no solver");
    refused(&["page", run, "--nfe", "0", "--out", "a.html"], 2, "at least one");
    refused(&["page", "nowhere", "--out", "a.html"], 1, "nowhere");
}
