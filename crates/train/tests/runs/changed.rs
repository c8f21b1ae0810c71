//! Runs whose experiment file, or whose folder, was changed by hand.

use super::{Each, FINISHED, Place, log, stopped_after};
use meanflow_train::{TrainError, progress::Event, run::Outcome};
use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

/// The keys that a start is refused for.
fn refused(place: &Place, overrides: &[&str]) -> Vec<String> {
    match place.go(overrides) {
        Err(TrainError::Changed { differences, .. }) => {
            differences.into_iter().map(|difference| difference.key).collect()
        }
        other => panic!("{overrides:?}: {other:?}"),
    }
}

#[test]
fn a_longer_run_goes_on_to_the_bits_of_a_long_one() {
    let (long, grown) = (Place::new(), Place::new());
    let longer = ["train.steps=20"];
    long.go(&longer).unwrap();
    assert_eq!(grown.go(&[]).unwrap(), FINISHED);
    assert_eq!(grown.go(&longer).unwrap(), FINISHED);
    assert_eq!(grown.digest(), long.digest());
    // Twelve is a multiple of both periods, so that the logs agree as well.
    assert_eq!(grown.log(), long.log());
    assert_eq!(grown.go(&longer).unwrap(), Outcome::Unchanged { failed_scores: 0 });
    assert_eq!(refused(&grown, &[]), ["train.steps"]);
    let start = &grown.json("env.json")["starts"][1];
    assert_eq!(start["step"], 12);
    assert_eq!(start["changed"]["train.steps"], serde_json::json!(["\"12 steps\"", "\"20 steps\""]));
}

#[test]
fn a_run_with_a_schedule_that_is_stretched_over_it_may_not_grow() {
    let place = Place::new();
    let stages = "objective.ect={sigma-data=0.5}";
    stopped_after(&place, &[stages], 6);
    assert_eq!(refused(&place, &[stages, "train.steps=20"]), ["train.steps"]);
    // The same at every step of the run.
    let place = Place::new();
    let stages = "objective.ect={sigma-data=0.5, stages=1}";
    stopped_after(&place, &[stages], 6);
    assert_eq!(place.go(&[stages, "train.steps=20"]).unwrap(), FINISHED);
}

#[test]
fn habits_may_change_and_are_recorded() {
    let (whole, place) = (Place::new(), Place::new());
    whole.go(&[]).unwrap();
    stopped_after(&place, &[], 6);
    let habits =
        ["eval.samples=30", "eval.nfe=[1]", "train.log=3", "train.checkpoint=7", "train.keep-last=1"];
    assert_eq!(place.go(&habits).unwrap(), FINISHED);
    assert_eq!(place.digest(), whole.digest());
    let starts = &place.json("env.json")["starts"];
    assert_eq!((starts[0].get("changed"), &starts[1]["step"]), (None, &6.into()));
    assert_eq!(starts[1]["changed"].as_object().unwrap().len(), 5);
    assert_eq!(starts[1]["changed"]["eval.samples"], serde_json::json!(["20", "30"]));
    let config = fs::read_to_string(place.join("config.toml")).unwrap();
    assert!(config.contains("samples = 30"), "{config}");
    let scored: Vec<_> =
        place.log().into_iter().filter(|line| line["step"] == 8 && line["nfe"] == 1).collect();
    assert_eq!(scored[0]["n"], 30);
}

#[test]
fn what_a_run_is_may_not_change() {
    let place = Place::new();
    stopped_after(&place, &[], 6);
    for change in [
        "train.batch=16",
        "seed=1",
        "net.mlp.width=9",
        "objective.meanflow.share=0.25",
        "data.two-moons.noise=0.1",
    ] {
        assert_eq!(refused(&place, &[change, "eval.samples=30"]), [change.split('=').next().unwrap()]);
    }
    assert_eq!(refused(&place, &["train.steps=11"]), ["train.steps"]);
    assert_eq!(place.json("status.json")["state"], "interrupted");
}

#[test]
fn a_finished_run_without_checkpoints_is_still_compared() {
    let place = Place::new();
    place.go(&[]).unwrap();
    let before = fs::read(place.join("metrics.jsonl")).unwrap();
    place.remove_checkpoints();
    assert_eq!(place.go(&[]).unwrap(), Outcome::Unchanged { failed_scores: 0 });
    assert_eq!(refused(&place, &["train.batch=16"]), ["train.batch"]);
    // There is nothing to go on from.
    assert_eq!(refused(&place, &["train.steps=20"]), ["train.steps"]);
    assert_eq!(fs::read(place.join("metrics.jsonl")).unwrap(), before);
}

#[test]
fn a_run_whose_checkpoints_are_gone_begins_again_beside_its_old_log() {
    let (whole, place) = (Place::new(), Place::new());
    whole.go(&[]).unwrap();
    for round in 1..=2 {
        stopped_after(&place, &[], 6);
        let before = place.log();
        place.remove_checkpoints();
        let mut notes = Vec::new();
        let stop = AtomicBool::new(false);
        let mut observer = Each(|event: &Event<'_>| match event {
            Event::Note { text } => notes.push(text.to_string()),
            Event::Step { step: 3 } => stop.store(true, Ordering::Relaxed),
            _ => {}
        });
        place.start(&[], &mut observer, &stop).unwrap();
        let aside = place.join(&format!("before-{round}"));
        assert_eq!(log(&aside.join("metrics.jsonl")), before);
        assert!(aside.join("samples/points-00000004.json").is_file());
        assert!(!place.join("samples/points-00000004.json").exists());
        let [note] = &notes[..] else { panic!("{notes:?}") };
        assert!(note.contains("begins again") && note.contains(&aside.display().to_string()), "{note}");
    }
    place.go(&[]).unwrap();
    assert_eq!((place.digest(), place.log()), (whole.digest(), whole.log()));
}

#[test]
fn a_changed_run_without_a_checkpoint_keeps_the_old_log() {
    let place = Place::new();
    // It ends at its first checkpoint, which is gone then, or never was.
    stopped_after(&place, &["train.log=1"], 2);
    place.remove_checkpoints();
    fs::write(place.join("status.json"), "{\"state\":\"failed\",\"step\":0}").unwrap();
    let before = place.log();
    assert_eq!(place.go(&["train.batch=16"]).unwrap(), FINISHED);
    assert_eq!(log(&place.join("before-1/metrics.jsonl")), before);
    let config = fs::read_to_string(place.join("before-1/config.toml")).unwrap();
    assert!(config.contains("batch = 8"), "{config}");
}
