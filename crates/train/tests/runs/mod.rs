//! Runs that are stopped, killed, resumed and changed.

mod changed;
mod objectives;
mod recorded;
mod resumed;
mod start;
mod verified;

use burn::backend::{Autodiff, Flex};
use meanflow_jvp::Jvp;
use meanflow_train::{
    BuiltIn, TrainError,
    config::Comparison,
    digest::{Digest, digest},
    env::Host,
    progress::{Event, Observer, Silent},
    run::{self, Outcome},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tempfile::TempDir;

/// Twelve steps, scored after 4, 8 and 12, with checkpoints after 5 and 10 beside.
const TINY: &str = r#"[data.two-moons]
points = 200
[net.mlp]
width = 8
depth = 1
[objective.meanflow]
share = 0.5
[train]
batch = 8
steps = 12
checkpoint = "5 steps"
log = "2 steps"
keep-last = 9
[[ema]]
decay = 0.9
[eval]
every = "4 steps"
samples = 20
nfe = [1, 2]
metrics = ["energy"]
"#;

/// A run folder in a folder of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("run")
    }

    fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Runs [`TINY`] with these overrides in the folder.
    fn start(
        &self,
        overrides: &[&str],
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let file = self.0.path().join("x.toml");
        fs::write(&file, TINY).unwrap();
        let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
        let comparison = Comparison::load(&file, &overrides).unwrap();
        let host = Host {
            device: "cpu".to_owned(),
            features: Vec::new(),
            threads: 1,
            lock_sha256: String::new(),
            command: Vec::new(),
        };
        let (variant, device, path) = (&comparison.variants[0], Default::default(), self.path());
        loop {
            let outcome = run::run::<Jvp<Autodiff<Flex>>, BuiltIn>(
                &comparison,
                variant,
                &path,
                &host,
                &device,
                observer,
                stop,
            );
            // While another test of this process starts `git`, its child has the lock too, for a moment.
            if !matches!(outcome, Err(TrainError::Locked(_))) {
                return outcome;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// As [`Self::start`], undisturbed.
    fn go(&self, overrides: &[&str]) -> Result<Outcome, TrainError> {
        self.start(overrides, &mut Silent, &AtomicBool::new(false))
    }

    fn digest(&self) -> Digest {
        digest(&self.path()).unwrap()
    }

    /// The log without the time.
    fn log(&self) -> Vec<Value> {
        log(&self.join("metrics.jsonl"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.join(name)).unwrap()).unwrap()
    }

    fn remove_checkpoints(&self) {
        for entry in fs::read_dir(self.join("checkpoints")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

fn log(path: &Path) -> Vec<Value> {
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("secs");
        value
    };
    fs::read_to_string(path).unwrap().lines().map(line).collect()
}

/// Calls a function with every event.
struct Each<F>(F);

impl<F: FnMut(&Event<'_>)> Observer for Each<F> {
    fn on(&mut self, event: Event<'_>) {
        self.0(&event);
    }
}

/// Stops the run after this step.
fn stopped_after(place: &Place, overrides: &[&str], last: u64) {
    let stop = AtomicBool::new(false);
    let mut observer = Each(|event: &Event<'_>| {
        if matches!(event, Event::Step { step } if *step == last) {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let outcome = place.start(overrides, &mut observer, &stop).unwrap();
    assert_eq!(outcome, Outcome::Interrupted { step: last });
}

const FINISHED: Outcome = Outcome::Finished { failed_scores: 0 };
