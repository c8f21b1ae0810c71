//! `meanflow doctor`: what this machine and this binary can do, and whether run folders are sound.

use crate::{
    Done,
    args::{DeviceKind, Doctor},
    commands::report::within,
    device::{Work, describe, dispatch, features},
};
use meanflow_core::objective::TrainBackend;
use meanflow_train::{
    Kinds,
    bench::{probe, product_in},
    verify::verify,
};
use std::path::PathBuf;

/// Checks run folders if there are any, else the machine.
pub fn run<K: Kinds>(args: Doctor) -> anyhow::Result<Done> {
    if args.runs.is_empty() { machine(args.on.device) } else { folders::<K>(&args.runs) }
}

/// Prints one line a file, and ends with how many are wrong.
fn folders<K: Kinds>(paths: &[PathBuf]) -> anyhow::Result<Done> {
    let (mut files, mut wrong) = (0, 0);
    for run in within(paths)? {
        for finding in verify::<K>(&run)? {
            tell!("{}", finding.line(&run));
            files += 1;
            wrong += usize::from(finding.wrong.is_some());
        }
    }
    tell!("{wrong} of {files} files are wrong");
    Ok(if wrong == 0 { Done::Yes } else { Done::No })
}

/// Prints one line a fact.
fn machine(device: DeviceKind) -> anyhow::Result<Done> {
    let threads = rayon::current_num_threads();
    tell!("version   {}", env!("CARGO_PKG_VERSION"));
    tell!("features  {}", features().join(", "));
    tell!("processor {}", meanflow_train::env::cpu().unwrap_or_else(|| "unknown".to_owned()));
    tell!("threads   {threads} (RAYON_NUM_THREADS changes it)");
    let one = product_in(1)?;
    let all = product_in(threads)?;
    tell!(
        "products  1024³ in f32: {one:.1} ms with 1 thread, {all:.1} ms with {threads}: {:.2}× faster",
        one / all
    );
    if device != DeviceKind::Cpu {
        let secs = dispatch(device, Probe)?;
        tell!("{}    answers in {:.1} ms", describe(device), 1e3 * secs);
    }
    Ok(Done::Yes)
}

/// Whether another device answers.
struct Probe;

impl Work for Probe {
    type Output = f64;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<f64> {
        Ok(probe::<B::InnerBackend>(device)?)
    }
}
