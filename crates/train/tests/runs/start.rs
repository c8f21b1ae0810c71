//! Runs that start from other runs.

use super::{FINISHED, Place, stopped_after};
use burn::{
    backend::Flex,
    tensor::{Tensor, TensorData},
};
use meanflow_core::{Backbone, Condition};
use meanflow_train::{BuiltIn, TrainError, trained};
use std::fs;

/// A flow-matching run, and another place that starts from it.
fn flow() -> (Place, Place, String) {
    let (flow, place) = (Place::new(), Place::new());
    assert_eq!(flow.go(&["objective={flow-matching={}}", "optimizer.adam.lr=0.05"]).unwrap(), FINISHED);
    let from = format!("init.run={:?}", flow.path());
    (flow, place, from)
}

/// `u(z, r, t)` of an average of a run, for some points and pairs of times.
fn says(place: &Place, average: &str, step: Option<u64>, on_diagonal: bool) -> Vec<f32> {
    let device = Default::default();
    let model = trained::open_at::<BuiltIn>(&place.path(), Some(average), step).unwrap();
    let net = model.network::<Flex>(&device).unwrap();
    let column =
        |values: [f32; 3]| Tensor::<Flex, 1>::from_data(TensorData::new(values.to_vec(), [3]), &device);
    let points = TensorData::new(vec![0.3_f32, -1.2, 0.7, 0.1, -0.4, 2.0], [3, 2, 1, 1]);
    let (r, t) = (column([0.0, 0.2, 0.6]), column([1.0, 0.9, 0.6]));
    let r = if on_diagonal { t.clone() } else { r };
    let out = net.forward(Tensor::from_data(points, &device), r, t, &Condition::none());
    out.into_data().into_vec().unwrap()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |far, (a, b)| far.max((a - b).abs()))
}

/// A step so short that it changes nothing that single precision tells from the start.
const STILL: [&str; 2] = ["train.steps=1", "optimizer.adam.lr=1e-12"];

#[test]
fn an_average_velocity_starts_as_the_flow_that_it_is_tuned_from() {
    let (flow, place, from) = flow();
    place.go(&[STILL[0], STILL[1], &from, "init.average=\"none\""]).unwrap();
    let velocity = says(&flow, "none", None, true);
    assert!(velocity.iter().any(|value| value.abs() > 0.05), "{velocity:?}");
    let off = farthest(&says(&place, "none", None, false), &velocity);
    assert!(off < 1e-6, "{off}");
    // The record names the checkpoint that was read.
    let record = &place.json("env.json")["starts"][0]["init"];
    assert!(record["path"].as_str().unwrap().ends_with("step-00000012.safetensors"), "{record}");

    // As they are, the weights say something else of r < t.
    let raw = Place::new();
    raw.go(&[STILL[0], STILL[1], &from, "init.keep-flow=false", "init.average=\"none\""]).unwrap();
    assert!(farthest(&says(&raw, "none", None, true), &velocity) < 1e-6);
    assert!(farthest(&says(&raw, "none", None, false), &velocity) > 1e-4);
}

#[test]
fn average_and_step_are_those_that_are_named() {
    let (flow, place, from) = flow();
    place.go(&[STILL[0], STILL[1], &from, "init.step=5"]).unwrap();
    let label = trained::open::<BuiltIn>(&flow.path(), None).unwrap().ema;
    let then = says(&flow, &label, Some(5), true);
    assert!(farthest(&says(&place, "none", None, false), &then) < 1e-6);
    assert!(farthest(&says(&flow, "none", Some(5), true), &then) > 1e-6);
    let refused = |key: &str, part: &str| {
        let said = Place::new().go(&[&from, key]).unwrap_err().to_string();
        assert!(said.contains(part), "{said}");
    };
    refused("init.step=7", "no checkpoint of step 7");
    refused("init.average=\"0.5\"", "no average is called `0.5`");
    refused("objective={ect={}}", "its network's output");
    refused("net={mlp={width=9,depth=1}}", "other sizes");
    refused("net={mlp={width=8,depth=1,clock=\"h\"}}", "beside another time");
    refused("data={eight-gaussians={points=20,labels=true}}", "samples");
}

#[test]
fn a_start_is_resumed_without_the_run_it_came_from() {
    let (flow, place, from) = flow();
    let whole = Place::new();
    whole.go(&[&from]).unwrap();
    stopped_after(&place, &[&from], 6);
    // Moved, and then gone on with or gone.
    let moved = flow.0.path().join("moved");
    fs::rename(flow.path(), &moved).unwrap();
    stopped_after(&place, &[&format!("init.run={moved:?}")], 8);
    fs::remove_dir_all(&moved).unwrap();
    assert_eq!(place.go(&[&from]).unwrap(), FINISHED);
    assert_eq!(place.digest(), whole.digest());
}

#[test]
fn another_start_is_refused() {
    let (flow, place, from) = flow();
    stopped_after(&place, &[&from], 6);
    let newest = flow.join("checkpoints/step-00000012.safetensors");
    fs::copy(flow.join("checkpoints/step-00000010.safetensors"), &newest).unwrap();
    let said = place.go(&[&from]).unwrap_err();
    assert!(matches!(&said, TrainError::OtherWeights { file, .. } if *file == newest), "{said}");
}
