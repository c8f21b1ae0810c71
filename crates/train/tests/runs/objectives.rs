//! Every registered objective on the loop: it trains, its teachers and draws resume, a batch may be cut.

use super::{Each, FINISHED, Place};
use meanflow_core::objective::{ObjectiveConfig, Objectives};
use meanflow_train::progress::{Event, Silent};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::AtomicBool,
};

/// An objective as it is, but for groups that fit a small batch.
fn settings(name: &str) -> String {
    let keys = if name == "drifting" { "group=4" } else { "" };
    format!("objective={{{name}={{{keys}}}}}")
}

/// Every objective as it is, and in ways that ask more of the loop.
fn all() -> Vec<String> {
    let names = ObjectiveConfig::NAMES.iter().map(|(name, _)| settings(name));
    let coupled =
        ["exact", "sinkhorn"].map(|way| format!("objective={{flow-matching={{coupling=\"{way}\"}}}}"));
    let data = "objective={imf={prediction={data={}}}}".to_owned();
    names.chain(coupled).chain([data]).collect()
}

#[test]
fn each_trains_and_resumes_to_the_bits() {
    for (name, _) in ObjectiveConfig::NAMES {
        let objective = settings(name);
        let overrides = [objective.as_str(), "train.microbatches=2"];
        let whole = Place::new();
        assert_eq!(whole.go(&overrides).unwrap(), FINISHED, "{name}");
        let log = whole.log();
        let last = log.iter().rfind(|line| line["kind"] == "train").unwrap();
        for measure in ["loss", "raw", "grad_norm"] {
            assert!(last[measure].as_f64().is_some_and(f64::is_finite), "{name}: {measure} in {last}");
        }
        let scores = log.iter().filter(|line| line["kind"] == "eval").count();
        assert_eq!(scores, 6, "{name}");

        // Killed between two checkpoints, and started again.
        let place = Place::new();
        let mut killer = Each(|event: &Event<'_>| {
            if matches!(event, Event::Step { step: 8 }) {
                resume_unwind(Box::new("killed"));
            }
        });
        let never = AtomicBool::new(false);
        let killed = catch_unwind(AssertUnwindSafe(|| place.start(&overrides, &mut killer, &never)));
        assert!(killed.is_err());
        assert_eq!(place.start(&overrides, &mut Silent, &never).unwrap(), FINISHED);
        assert_eq!((place.digest(), place.log()), (whole.digest(), log), "{name}");
    }
}

/// A frozen teacher is read at the start, from a run or a file, and from then on is in the checkpoints: it may be gone when the run goes on.
#[test]
fn a_frozen_teacher_is_read_once() {
    let flow = Place::new();
    assert_eq!(flow.go(&["objective={flow-matching={}}"]).unwrap(), FINISHED);
    let asked = |path: &std::path::Path| format!("objective={{rcm={{teacher={path:?}}}}}");
    for name in ["ct", "sct"] {
        let [taught, untaught] = [format!("teacher={:?}", flow.path()), String::new()].map(|teacher| {
            // The same grid and average with a teacher and without.
            let keys = if name == "ct" { "first=2,last=150,decay=0.9," } else { "" };
            let place = Place::new();
            let objective = format!("objective={{{name}={{{keys}{teacher}}}}}");
            assert_eq!(place.go(&[&objective, "train.microbatches=2"]).unwrap(), FINISHED, "{objective}");
            place.log()
        });
        assert_ne!(taught, untaught, "{name}");
    }
    let objective = asked(&flow.path());
    let whole = Place::new();
    assert_eq!(whole.go(&[&objective]).unwrap(), FINISHED);
    let untaught = Place::new();
    untaught.go(&["objective={rcm={}}"]).unwrap();
    assert_ne!(whole.log(), untaught.log());

    let place = Place::new();
    let mut killer = Each(|event: &Event<'_>| {
        if matches!(event, Event::Step { step: 8 }) {
            resume_unwind(Box::new("killed"));
        }
    });
    let never = AtomicBool::new(false);
    let killed = catch_unwind(AssertUnwindSafe(|| place.start(&[&objective], &mut killer, &never)));
    assert!(killed.is_err());
    flow.remove_checkpoints();
    assert_eq!(place.go(&[&objective]).unwrap(), FINISHED);
    assert_eq!((place.digest(), place.log()), (whole.digest(), whole.log()));

    let other = Place::new();
    other.go(&["objective={ect={}}"]).unwrap();
    let error = Place::new().go(&[&asked(&other.path())]).unwrap_err();
    assert!(error.to_string().contains("a teacher predicts velocities"), "{error}");
    let wider = Place::new();
    let error = wider.go(&[&asked(&other.path()), "net.mlp.width=16"]).unwrap_err();
    assert!(error.to_string().contains("this is another"), "{error}");
    assert!(Place::new().go(&[&asked(&other.join("nothing"))]).is_err());
}

/// A step is the same whether the batch is differentiated whole or in parts, and so is everything that it measures; also in parts
/// of one row, of which some lack a measure.
#[test]
fn each_may_be_cut_into_parts() {
    for name in all() {
        let steps = ["1", "2", "8"].map(|parts| {
            let parts = format!("train.microbatches={parts}");
            let place = Place::new();
            let few = ["train.steps=2", "train.log=\"1 steps\"", "eval.metrics=[]"];
            place.go(&[&[name.as_str(), parts.as_str()], &few[..]].concat()).unwrap();
            let log = place.log();
            let train = log.into_iter().filter(|line| line["kind"] == "train");
            train.map(|line| line.as_object().unwrap().clone()).collect::<Vec<_>>()
        });
        for cut in &steps[1..] {
            assert_eq!(cut.len(), 2, "{name}");
            for (line, whole) in cut.iter().zip(&steps[0]) {
                for (measure, expected) in whole {
                    let (Some(a), Some(b)) = (line[measure].as_f64(), expected.as_f64()) else {
                        assert_eq!(&line[measure], expected, "{name}: {measure}");
                        continue;
                    };
                    assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{name}: {measure} {a}, whole {b}");
                }
            }
        }
    }
}

/// Coupling pairs each noise with another sample, and so changes the step.
#[test]
fn coupling_changes_a_step() {
    let losses = ["off", "exact", "sinkhorn"].map(|way| {
        let (place, objective) = (Place::new(), format!("objective.flow-matching={{coupling=\"{way}\"}}"));
        place.go(&[&objective, "train.steps=1", "train.log=\"1 steps\"", "eval.metrics=[]"]).unwrap();
        let log = place.log();
        log.iter().find(|line| line["kind"] == "train").unwrap()["loss"].as_f64().unwrap()
    });
    assert!(losses[1] < losses[2] && losses[2] < losses[0], "{losses:?}");
}
