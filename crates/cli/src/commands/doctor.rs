//! `meanflow doctor`: what this machine and this binary can do, and whether run folders are sound.

use crate::{
    Done,
    args::{DeviceKind, Doctor},
    device::{Work, describe, dispatch, features},
};
use burn::tensor::Tensor;
use meanflow_core::objective::TrainBackend;
use meanflow_train::{Kinds, bench::product_in, home::runs_within, verify::verify};
use std::{path::PathBuf, time::Instant};

/// Checks run folders if there are any, else the machine.
pub fn run<K: Kinds>(args: Doctor) -> anyhow::Result<Done> {
    if args.runs.is_empty() { machine(args.on.device) } else { folders::<K>(&args.runs) }
}

/// Prints one line a file, and ends with how many are wrong.
fn folders<K: Kinds>(paths: &[PathBuf]) -> anyhow::Result<Done> {
    let (mut files, mut wrong) = (0, 0);
    for path in paths {
        let runs = runs_within(path)?;
        anyhow::ensure!(!runs.is_empty(), "{} holds no run", path.display());
        for run in runs {
            for finding in verify::<K>(&run)? {
                let (verdict, words) = match (finding.wrong, finding.note) {
                    (Some(reason), _) => ("wrong", format!(": {reason}")),
                    (None, Some(note)) => ("ok   ", format!(" ({note})")),
                    (None, None) => ("ok   ", String::new()),
                };
                tell!("{verdict} {}{words}", run.join(finding.file).display());
                files += 1;
                wrong += usize::from(verdict == "wrong");
            }
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

/// A small product on another device.
struct Probe;

impl Work for Probe {
    type Output = f64;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<f64> {
        let ones = || Tensor::<B::InnerBackend, 2>::ones([64, 64], device);
        let _ = ones().matmul(ones()).into_data();
        let start = Instant::now();
        let _ = ones().matmul(ones()).into_data();
        B::sync(device)?;
        Ok(start.elapsed().as_secs_f64())
    }
}
