//! What `env.json` says of each start, and what it is compared with.

use super::{Each, FINISHED, Place, stopped_after};
use meanflow_train::{BuiltIn, TrainError, env::sha256, progress::Event, run::Outcome, trained::of_run};
use std::{fs, path::Path, sync::atomic::AtomicBool};

const UNCHANGED: Outcome = Outcome::Unchanged { failed_scores: 0 };

#[test]
fn each_start_has_an_entry() {
    let place = Place::new();
    stopped_after(&place, &[], 6);
    stopped_after(&place, &[], 7);
    assert_eq!(place.go(&[]).unwrap(), FINISHED);
    let record = place.json("env.json");
    let starts = record["starts"].as_array().unwrap();
    let steps: Vec<_> = starts.iter().map(|start| start["step"].as_u64()).collect();
    assert_eq!(steps, [None, Some(6), Some(7)]);
    // The program is this test.
    let program = sha256(&fs::read(std::env::current_exe().unwrap()).unwrap());
    for start in starts {
        assert_eq!(start["binary"]["sha256"], program.as_str());
        assert_eq!((&start["device"], &start["threads"]), (&"cpu".into(), &1.into()));
        for key in ["started", "features", "git", "diff", "cpu", "data", "command", "lock_sha256"] {
            assert!(start.get(key).is_some(), "{key}");
        }
        assert_eq!(start.get("changed"), None);
    }
    // A start of a finished run does nothing and is none.
    assert_eq!(place.go(&[]).unwrap(), UNCHANGED);
    assert_eq!(place.json("env.json"), record);
}

#[test]
fn a_record_that_cannot_be_read_is_kept() {
    let place = Place::new();
    stopped_after(&place, &[], 6);
    fs::write(place.join("env.json"), "torn").unwrap();
    let mut notes = Vec::new();
    let mut observer = Each(|event: &Event<'_>| {
        if let Event::Note { text } = event {
            notes.push(text.to_string());
        }
    });
    place.start(&[], &mut observer, &AtomicBool::new(false)).unwrap();
    assert_eq!(fs::read_to_string(place.join("env.json.damaged")).unwrap(), "torn");
    assert_eq!(place.json("env.json")["starts"][0]["step"], 6);
    assert!(notes.len() == 1 && notes[0].contains("env.json.damaged"), "{notes:?}");
}

#[test]
fn initial_weights_are_known_by_their_digest() {
    let (teacher, place) = (Place::new(), Place::new());
    teacher.go(&[]).unwrap();
    let weights = place.0.path().join("weights.safetensors");
    of_run::<BuiltIn>(&teacher.path(), None).unwrap().write(&weights).unwrap();
    let from = |path: &Path| format!("init.weights={path:?}");
    stopped_after(&place, &[&from(&weights)], 6);
    let bytes = fs::read(&weights).unwrap();
    assert_eq!(place.json("env.json")["starts"][0]["init"]["sha256"], sha256(&bytes).as_str());

    let moved = place.0.path().join("moved.safetensors");
    fs::rename(&weights, &moved).unwrap();
    stopped_after(&place, &[&from(&moved)], 7);
    // They are in the checkpoint.
    stopped_after(&place, &[&from(&weights)], 8);
    of_run::<BuiltIn>(&teacher.path(), Some("none")).unwrap().write(&weights).unwrap();
    let refused = || {
        let said = place.go(&[&from(&weights)]).unwrap_err();
        assert!(matches!(&said, TrainError::OtherWeights { file, .. } if *file == weights), "{said}");
    };
    refused();
    assert_eq!(place.json("status.json")["state"], "interrupted");
    assert_eq!(place.json("env.json")["starts"].as_array().unwrap().len(), 3);
    assert_eq!(place.go(&[&from(&moved)]).unwrap(), FINISHED);
    assert_eq!(place.go(&[&from(&moved)]).unwrap(), UNCHANGED);
    refused();
    // Whoever asks for the network needs no file of weights.
    fs::remove_file(&moved).unwrap();
    assert_eq!(place.go(&[&from(&moved)]).unwrap(), UNCHANGED);
    assert_eq!(of_run::<BuiltIn>(&place.path(), None).unwrap().step, 12);
}

#[test]
fn moved_data_is_no_change_and_other_data_is() {
    let place = Place::new();
    let at = |name: &str| place.0.path().join(name);
    let from = |name: &str| format!("data.points={{path={:?}}}", at(name));
    let points = |by: usize| (0..60).map(|i| format!("{} {}\n", i % by, i % 11)).collect::<String>();
    fs::write(at("first.txt"), points(7)).unwrap();
    fs::write(at("other.txt"), points(8)).unwrap();
    stopped_after(&place, &[&from("first.txt")], 6);
    fs::rename(at("first.txt"), at("moved.txt")).unwrap();
    stopped_after(&place, &[&from("moved.txt")], 7);
    for finished in [false, true] {
        let said = place.go(&[&from("other.txt")]).unwrap_err();
        assert!(matches!(said, TrainError::OtherData { .. }), "{said}");
        let expected = if finished { UNCHANGED } else { FINISHED };
        assert_eq!(place.go(&[&from("moved.txt")]).unwrap(), expected);
    }
    // A finished run needs no data, and says that it could not look.
    let mut notes = Vec::new();
    let mut observer = Each(|event: &Event<'_>| {
        if let Event::Note { text } = event {
            notes.push(text.to_string());
        }
    });
    let outcome = place.start(&[&from("first.txt")], &mut observer, &AtomicBool::new(false)).unwrap();
    assert_eq!(outcome, UNCHANGED);
    assert!(notes.len() == 1 && notes[0].contains("first.txt"), "{notes:?}");
    fs::remove_file(at("moved.txt")).unwrap();
    assert_eq!(place.go(&[&from("moved.txt")]).unwrap(), UNCHANGED);
}
