use super::*;
use burn::tensor::TensorData;
use std::fs;

const BATCH: u64 = 4;

/// The line of the log after a step, 26 bytes.
fn line(step: u64) -> String {
    format!("{{\"kind\":\"train\",\"step\":{step:02}}}\n").replace(":0", ": ")
}

/// The checkpoint of a run that logs and saves every ten steps.
fn at(step: u64) -> Checkpoint {
    let log_bytes = (step / 10) * line(10).len() as u64;
    let progress = Progress { step, images: step * BATCH, secs: 1.5, log_bytes, ..Progress::default() };
    let values = |from: u64| TensorData::new(vec![from as f32, 0.5, -1.0, 2.0], [2, 2]);
    let tensors = [("net.a", values(step)), ("ema.0.a", values(step + 1)), ("optimizer.a", values(0))];
    let tensors = tensors.map(|(name, data)| (name.to_owned(), data)).into();
    Checkpoint { progress, ema: vec!["0.9".to_owned()], tensors }
}

/// A folder with the checkpoints of steps 10, 20 and 30, and its log.
fn run() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("metrics.jsonl");
    fs::write(&log, [10, 20, 30].map(line).concat()).unwrap();
    for step in [10, 20, 30] {
        at(step).save(folder.path()).unwrap();
    }
    (folder, log)
}

fn newest(folder: &Path, log: &Path) -> Result<Option<(Checkpoint, SetAside)>, TrainError> {
    newest_sound(folder, &Expected { steps: 30, batch: BATCH, log })
}

#[test]
fn no_flipped_bit_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let whole = at(30);
    let path = whole.save(folder.path()).unwrap();
    let bytes = fs::read(&path).unwrap();
    for bit in (0..8 * bytes.len()).step_by(5) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        // What is read is what was written; a bit of the padding, or of the name of the checksum, changes nothing.
        if let Ok(read) = Checkpoint::load(&path) {
            assert_eq!((read.progress, read.ema), (whole.progress.clone(), whole.ema.clone()), "bit {bit}");
            assert_eq!(read.tensors, whole.tensors, "bit {bit}");
        }
    }
}

#[test]
fn every_bit_of_the_tensors_counts_whatever_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = at(30).save(folder.path()).unwrap();
    let bytes = fs::read(&path).unwrap();
    for bit in 8 * (bytes.len() - 48)..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        for prefix in ["", "net.", "ema.0."] {
            let said = Stored::open(&path).unwrap().load(prefix).unwrap_err().to_string();
            assert!(said.contains("step-00000030") && said.contains("checksum"), "{said}");
        }
    }
}

#[test]
fn a_checkpoint_of_an_older_version_has_no_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let path = at(30).save(folder.path()).unwrap();
    assert!(Stored::open(&path).unwrap().has_checksum());
    let bytes = fs::read(&path).unwrap();
    let whole = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    metadata.remove(meanflow_weights::CHECKSUM).unwrap();
    safetensors::serialize_to_file(whole.tensors(), Some(metadata), &path).unwrap();
    let stored = Stored::open(&path).unwrap();
    assert!(!stored.has_checksum());
    assert_eq!(stored.load("").unwrap().tensors, at(30).tensors);
}

#[test]
fn damaged_checkpoints_are_set_aside_for_the_one_before() {
    type Damage = fn(&Path, &Path);
    let cases: [(&str, Damage, u64); 7] = [
        ("checksum", |_, newest| flip(newest), 10),
        ("whole", |_, newest| fs::write(newest, &fs::read(newest).unwrap()[..100]).unwrap(), 10),
        ("of step 10", |folder, newest| drop(fs::copy(folder.join("step-00000010.safetensors"), newest)), 10),
        (
            "of step 1000000000000",
            |folder, newest| {
                resave(folder, newest, |p| (p.step, p.images) = (10_u64.pow(12), 4 * 10_u64.pow(12)))
            },
            0,
        ),
        ("images", |folder, newest| resave(folder, newest, |p| p.images += 1), 10),
        ("middle of a line", |folder, newest| resave(folder, newest, |p| p.log_bytes -= 7), 10),
        (
            "log ends at step 20",
            |folder, newest| resave(folder, newest, |p| p.log_bytes -= line(30).len() as u64),
            10,
        ),
    ];
    for (words, damage, lost) in cases {
        let (folder, log) = run();
        damage(folder.path(), &folder.path().join("step-00000030.safetensors"));
        let (checkpoint, aside) = newest(folder.path(), &log).unwrap().unwrap();
        assert_eq!((checkpoint.progress.step, aside.lost), (20, lost), "{words}");
        assert_eq!(checkpoint.tensors, at(20).tensors);
        let [(path, reason)] = &aside.files[..] else { panic!("{words}: {aside:?}") };
        assert!(reason.contains(words), "{words}: {reason}");
        assert!(path.is_file() && path.to_string_lossy().ends_with(".safetensors.damaged"), "{path:?}");
        // The next start finds nothing to complain about.
        assert_eq!(newest(folder.path(), &log).unwrap().unwrap().1, SetAside { files: Vec::new(), lost: 0 });
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 4;
    fs::write(path, bytes).unwrap();
}

/// Replaces the newest checkpoint by a whole one that says something else.
fn resave(folder: &Path, newest: &Path, change: fn(&mut Progress)) {
    let mut checkpoint = Checkpoint::load(newest).unwrap();
    fs::remove_file(newest).unwrap();
    change(&mut checkpoint.progress);
    checkpoint.save(folder).unwrap();
}

#[test]
fn without_a_usable_checkpoint_nothing_is_renamed() {
    let (folder, log) = run();
    for step in [10, 20, 30] {
        flip(&folder.path().join(format!("step-{step:08}.safetensors")));
    }
    let said = newest(folder.path(), &log).unwrap_err().to_string();
    assert!(said.contains("step-00000030") && said.contains("no older one is usable"), "{said}");
    assert_eq!(list(folder.path()).unwrap().len(), 3);

    let (folder, log) = run();
    fs::write(&log, "").unwrap();
    assert!(matches!(newest(folder.path(), &log), Err(TrainError::LogTooShort { found: 0, .. })));
    // An older checkpoint that the rest of the log fits is better than none.
    fs::write(&log, line(10)).unwrap();
    let (checkpoint, aside) = newest(folder.path(), &log).unwrap().unwrap();
    assert_eq!((checkpoint.progress.step, aside.lost, aside.files.len()), (10, 20, 2));
}

#[test]
fn values_that_are_not_logged_yet_count() {
    let (folder, log) = run();
    let mut checkpoint = at(30);
    checkpoint.progress.step = 32;
    checkpoint.progress.images = 32 * BATCH;
    checkpoint.progress.window = vec![vec![None; 6]; 2];
    checkpoint.save(folder.path()).unwrap();
    let expected = Expected { steps: 40, batch: BATCH, log: &log };
    assert_eq!(newest_sound(folder.path(), &expected).unwrap().unwrap().0.progress.step, 32);
}
