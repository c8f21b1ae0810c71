//! What `meanflow doctor` says of folders that are sound.

use super::{Each, FINISHED, Place};
use meanflow_train::{BuiltIn, progress::Event, verify::verify};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// What is wrong in a folder, and the note of its status.
fn said(run: &Path) -> (Vec<String>, String) {
    let findings = verify::<BuiltIn>(run).unwrap();
    let status = findings.iter().find(|finding| finding.file == Path::new("status.json")).unwrap();
    let note = status.note.clone().unwrap_or_default();
    let wrong =
        findings.into_iter().filter_map(|finding| Some(format!("{:?} {}", finding.file, finding.wrong?)));
    (wrong.collect(), note)
}

#[test]
fn a_running_run_is_not_damaged() {
    let place = Place::new();
    let path = place.path();
    let nothing = Vec::<String>::new();
    let mut notes = Vec::new();
    // From the first event on, where there is little but a configuration; one checkpoint stays at a time.
    let watch = |notes: &mut Vec<String>, until: u64| {
        let stop = AtomicBool::new(false);
        let mut observer = Each(|event: &Event<'_>| {
            let (wrong, note) = said(&path);
            assert_eq!(wrong, nothing, "{event:?}");
            notes.push(note);
            if matches!(event, Event::Step { step } if *step == until) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        place.start(&["train.keep-last=1"], &mut observer, &stop).unwrap();
    };
    watch(&mut notes, 6);
    assert_eq!(notes[0], "not written yet");
    assert!(notes.iter().any(|note| note == "a process is at step 4 or later"), "{notes:?}");
    assert_eq!(said(&path), (nothing.clone(), "interrupted at step 6".to_owned()));
    watch(&mut notes, 99);
    assert_eq!(said(&path), (nothing, "finished at step 12".to_owned()));
}

#[test]
fn a_killed_run_is_not_damaged() {
    let place = Place::new();
    assert_eq!(place.go(&[]).unwrap(), FINISHED);
    fs::write(place.join("status.json"), "{\"state\":\"running\",\"step\":12}").unwrap();
    // While another test of this process starts `git`, its child has the lock too, for a moment.
    let killed = "killed at step 12 or later: no process is at it";
    let found = (0..200).any(|_| {
        let (wrong, note) = said(&place.path());
        assert_eq!(wrong, Vec::<String>::new());
        std::thread::sleep(std::time::Duration::from_millis(5));
        note == killed
    });
    assert!(found);
}
