//! Every registered objective on the loop: it trains, its teachers and draws resume, a batch may be cut.

use super::{Each, FINISHED, Place};
use meanflow_core::objective::{ObjectiveConfig, Objectives};
use meanflow_train::{
    TrainError,
    progress::{Event, Silent},
};
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

/// A step is the same whether the batch is differentiated whole or in parts.
#[test]
fn each_may_be_cut_into_parts() {
    for (name, _) in ObjectiveConfig::NAMES {
        let losses = ["1", "2", "8"].map(|parts| {
            let (objective, parts) = (settings(name), format!("train.microbatches={parts}"));
            let place = Place::new();
            // Shares of a batch that no part can have exactly would make other parts of it.
            let whole = ["train.steps=2", "train.log=\"1 steps\"", "eval.metrics=[]"];
            place.go(&[&[objective.as_str(), parts.as_str()], &whole[..]].concat()).unwrap();
            let log = place.log();
            let train = log.iter().filter(|line| line["kind"] == "train");
            train.map(|line| line["loss"].as_f64().unwrap()).collect::<Vec<f64>>()
        });
        for cut in &losses[1..] {
            for (a, b) in cut.iter().zip(&losses[0]) {
                assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{name}: {losses:?}");
            }
        }
    }
}

/// Where a schedule is stretched over the run, a longer run would have begun otherwise.
#[test]
fn a_run_with_a_schedule_does_not_grow() {
    for (name, grows) in [("ect={}", false), ("ect={stages=1}", true), ("meanflow={}", true)] {
        let objective = format!("objective={{{name}}}");
        let place = Place::new();
        assert_eq!(place.go(&[&objective]).unwrap(), FINISHED);
        let longer = place.go(&[&objective, "train.steps=14"]);
        match longer {
            Ok(outcome) => assert!(grows && outcome == FINISHED, "{name}"),
            Err(error) => assert!(!grows && matches!(error, TrainError::Changed { .. }), "{name}: {error}"),
        }
    }
}
