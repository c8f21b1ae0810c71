//! Damaged experiment files, and damaged files of what `meanflow eval` scores: the readers that need Burn. The others are in the crate
//! `meanflow-fuzz`.
//!
//! `FUZZ_INPUTS=10000 cargo test -p meanflow-train --test fuzz -- --nocapture` reads ten thousand of each.

use std::path::Path;

use meanflow_fuzz::{Counting, Target, run};
use meanflow_metrics::Input;
use meanflow_train::config::Comparison;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Inputs for each reader where nobody says how many.
const INPUTS: u64 = 300;

fn check(target: &Target) {
    let inputs = std::env::var("FUZZ_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(INPUTS);
    match run(target, 0, 0..inputs) {
        Ok(tally) => println!("{}: {inputs} inputs, {tally:?}", target.name),
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn experiment_files() {
    check(&Target {
        name: "experiment",
        seeds: &[
            "experiments/quickstart.toml",
            "experiments/cifar10/meanflow-v0.toml",
            "experiments/emoji/emoji.toml",
            "experiments/imagenet256/meanflow-b4.toml",
            "experiments/toy/relatives.toml",
            "experiments/toy/residual.toml",
            "experiments/toy/two-moons.toml",
            "scripts/digests.d/imf.toml",
            "scripts/digests.d/unet.toml",
            "scripts/digests.d/updates.toml",
        ],
        together: false,
        cost: 1,
        read: |path| match Comparison::<meanflow_train::BuiltIn>::load(path, &[]) {
            Ok(_) => Ok(()),
            Err(error) => {
                error.render(true);
                Err(error.render(false))
            }
        },
    });
}

/// Reads all of what a path holds.
fn read_input(path: &Path) -> Result<(), String> {
    let input = Input::open(path).map_err(|error| error.to_string())?;
    input.note();
    input.digest().map(drop).map_err(|error| error.to_string())
}

#[test]
fn arrays_to_score() {
    check(&Target {
        name: "arrays",
        seeds: &["fuzz/corpus/npy/f4.npy", "fuzz/corpus/npy/u1.npy", "fuzz/corpus/statistics"],
        together: false,
        cost: 1,
        read: read_input,
    });
}

#[test]
fn pictures_to_score() {
    check(&Target {
        name: "pictures",
        seeds: &["fuzz/corpus/png/rgb.png", "fuzz/corpus/png/grey.png", "fuzz/corpus/jpeg"],
        together: false,
        cost: 1,
        read: |path| read_input(path.parent().unwrap_or(path)),
    });
}
