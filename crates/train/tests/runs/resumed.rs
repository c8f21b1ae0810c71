//! What a run loses by being stopped or killed: nothing.

use super::{Each, FINISHED, Place};
use meanflow_train::{BuiltIn, progress::Event, run::Outcome, verify::verify};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

/// Starts the run and ends it with its `count`th event, as a kill would; whether it came that far.
fn killed_at(place: &Place, count: usize) -> bool {
    let mut seen = 0;
    let mut killer = Each(|_: &Event<'_>| {
        seen += 1;
        if seen == count {
            resume_unwind(Box::new("killed"));
        }
    });
    let never = AtomicBool::new(false);
    catch_unwind(AssertUnwindSafe(|| place.start(&[], &mut killer, &never))).is_err()
}

#[test]
fn a_kill_at_any_event_loses_nothing() {
    let whole = Place::new();
    assert_eq!(whole.go(&[]).unwrap(), FINISHED);
    let mut count = 0;
    loop {
        count += 1;
        let place = Place::new();
        let killed = killed_at(&place, count);
        let findings = verify::<BuiltIn>(&place.path()).unwrap();
        assert!(
            findings.iter().all(|finding| finding.wrong.is_none()),
            "killed at event {count}: {findings:?}"
        );
        assert_eq!(
            place.go(&[]).unwrap(),
            if killed { FINISHED } else { Outcome::Unchanged { failed_scores: 0 } }
        );
        assert_eq!((place.digest(), place.log()), (whole.digest(), whole.log()), "killed at event {count}");
        let names = |place: &Place| {
            let mut names: Vec<_> = fs::read_dir(place.join("samples"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&place), names(&whole), "killed at event {count}");
        if !killed {
            break;
        }
    }
    // Each step, and something in each of the three evaluations.
    assert!(count > 40, "{count}");
}

#[test]
fn a_step_is_saved_before_it_is_scored() {
    let place = Place::new();
    let evaluation =
        |event: &Event<'_>| matches!(event, Event::Task { what, .. } if what == "evaluation at step 8");
    let mut killer = Each(|event: &Event<'_>| {
        if evaluation(event) {
            resume_unwind(Box::new("no memory"));
        }
    });
    let never = AtomicBool::new(false);
    catch_unwind(AssertUnwindSafe(|| place.start(&[], &mut killer, &never))).unwrap_err();
    assert_eq!(place.digest().step, 8);
    assert!(place.log().iter().all(|line| line["kind"] == "train" || line["step"] == 4));
    // The scores are the first thing that comes next.
    let mut events = Vec::new();
    place.start(&[], &mut Each(|event: &Event<'_>| events.push(evaluation(event))), &never).unwrap();
    let first = events.iter().position(|is| *is).unwrap();
    assert!(first < 5, "{first}");
}

#[test]
fn an_evaluation_hears_the_wish_to_stop() {
    let (whole, place) = (Place::new(), Place::new());
    whole.go(&[]).unwrap();
    // Stopped in each evaluation, after its first part.
    for step in [4, 8, 12] {
        let stop = AtomicBool::new(false);
        let mut scoring = false;
        let mut observer = Each(|event: &Event<'_>| match event {
            Event::Task { what, .. } => scoring = what.starts_with("evaluation"),
            Event::Parts { .. } if scoring => stop.store(true, Ordering::Relaxed),
            Event::Score { .. } => panic!("scored after the wish to stop"),
            _ => {}
        });
        if step > 4 {
            // Scores of the step before first, undisturbed.
            let mut observer = Each(|event: &Event<'_>| {
                if let Event::Step { .. } = event {
                    stop.store(true, Ordering::Relaxed);
                }
            });
            let outcome = place.start(&[], &mut observer, &stop).unwrap();
            assert_eq!(outcome, Outcome::Interrupted { step: step - 3 });
            stop.store(false, Ordering::Relaxed);
        }
        assert_eq!(place.start(&[], &mut observer, &stop).unwrap(), Outcome::Interrupted { step });
        assert_eq!(place.digest().step, step);
        assert_eq!(place.json("status.json")["state"], "interrupted");
    }
    assert_eq!(place.go(&[]).unwrap(), FINISHED);
    assert_eq!((place.digest(), place.log()), (whole.digest(), whole.log()));
}

#[test]
fn a_run_that_is_scored_is_not_scored_again() {
    let (whole, place) = (Place::new(), Place::new());
    whole.go(&[]).unwrap();
    let stop = AtomicBool::new(false);
    let mut scores = 0;
    // The wish comes with the first score: the evaluation is over, and the next step the last.
    let mut observer = Each(|event: &Event<'_>| {
        if let Event::Step { step: 5 } = event {
            stop.store(true, Ordering::Relaxed);
        }
        scores += usize::from(matches!(event, Event::Score { .. }));
    });
    place.start(&[], &mut observer, &stop).unwrap();
    assert_eq!(scores, 2);
    // As if it had been killed right after the scores of step 4.
    fs::remove_file(place.join("checkpoints/step-00000005.safetensors")).unwrap();
    let mut scored = Vec::new();
    let mut observer = Each(|event: &Event<'_>| {
        if let Event::Score { step, .. } = event {
            scored.push(*step);
        }
    });
    place.start(&[], &mut observer, &AtomicBool::new(false)).unwrap();
    assert_eq!(scored, [8, 8, 12, 12]);
    assert_eq!((place.digest(), place.log()), (whole.digest(), whole.log()));
}

#[test]
fn pictures_of_steps_that_the_run_has_not_come_to_are_removed() {
    let place = Place::new();
    let stop = AtomicBool::new(false);
    let mut observer = Each(|event: &Event<'_>| {
        if let Event::Step { step: 6 } = event {
            stop.store(true, Ordering::Relaxed);
        }
    });
    place.start(&[], &mut observer, &stop).unwrap();
    for name in ["points-00000099.json", "step-00000007-ema-0-nfe-1.png"] {
        fs::write(place.join("samples").join(name), "of another life").unwrap();
    }
    place.go(&[]).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(place.join("samples")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["points-00000004.json", "points-00000008.json", "points-00000012.json"]);
}
