//! Every registered objective on the loop: it trains, its teachers and draws resume, a batch may be cut.

use super::{Each, FINISHED, Place};
use meanflow_core::objective::{ObjectiveConfig, Objectives};
use meanflow_train::progress::{Event, Silent};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::AtomicBool,
};

fn settings(name: &str) -> String {
    format!("objective={{{name}={{}}}}")
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

/// A step is the same whether the batch is differentiated whole or in parts, and so is everything that it measures; also in parts
/// of one row, of which some lack a measure.
#[test]
fn each_may_be_cut_into_parts() {
    for (name, _) in ObjectiveConfig::NAMES {
        let steps = ["1", "2", "8"].map(|parts| {
            let (objective, parts) = (settings(name), format!("train.microbatches={parts}"));
            let place = Place::new();
            let few = ["train.steps=2", "train.log=\"1 steps\"", "eval.metrics=[]"];
            place.go(&[&[objective.as_str(), parts.as_str()], &few[..]].concat()).unwrap();
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
