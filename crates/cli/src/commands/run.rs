//! `meanflow run`: every variant, then the report.

use crate::{
    Done,
    args::{Run, Usage},
    device::{self, Work},
    watch::Watch,
};
use anyhow::Context;
use meanflow_core::objective::TrainBackend;
use meanflow_train::{
    config::{Comparison, Plan, Variant},
    env::{Host, sha256},
    run::{self, Outcome},
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Trains what is not trained yet, scores it and writes the report.
pub fn run(args: Run) -> anyhow::Result<Done> {
    let comparison = Comparison::load(&args.experiment, &args.set)?;
    if args.dry_run {
        let plan = Plan::new(&comparison, &args.runs_dir);
        if args.json {
            tell!("{}", serde_json::to_string_pretty(&plan)?);
        } else {
            tell_as_is!("{plan}");
        }
        return Ok(Done::Yes);
    }
    let chosen = chosen(&comparison, &args.variant)?;
    let folder = args.runs_dir.join(&comparison.name);
    let paths: Vec<PathBuf> = chosen.iter().map(|variant| folder.join(&variant.name)).collect();
    // A changed file is refused before anything is trained.
    for (variant, path) in chosen.iter().zip(&paths) {
        run::check_unchanged(path, variant)?;
    }
    let stop = stop_on_ctrl_c()?;
    let host = Host {
        device: device::describe(args.on.device),
        features: device::features(),
        threads: rayon::current_num_threads(),
        lock_sha256: sha256(include_bytes!("../../../../Cargo.lock")),
        command: std::env::args().collect(),
    };
    for (variant, path) in chosen.iter().zip(&paths) {
        let train = Train { comparison: &comparison, variant, path, host: &host, stop: &stop };
        match device::dispatch(args.on.device, train)? {
            Outcome::Finished => {}
            Outcome::Unchanged => say!("{}: already trained, nothing to do", variant.name),
            Outcome::Interrupted { step } => {
                say!(
                    "{}: stopped at step {step}, checkpoint written; the same command goes on",
                    variant.name
                );
                return Ok(Done::Interrupted);
            }
        }
    }
    let out = folder.join("report");
    let summary =
        meanflow_report::write(&paths, &out).context("the runs are complete, but not the report")?;
    for note in &summary.notes {
        say!("note: {note}");
    }
    tell!("{}", summary.index.display());
    Ok(Done::Yes)
}

struct Train<'a> {
    comparison: &'a Comparison,
    variant: &'a Variant,
    path: &'a Path,
    host: &'a Host,
    stop: &'a AtomicBool,
}

impl Work for Train<'_> {
    type Output = Outcome;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Outcome> {
        let mut watch = Watch::new();
        let Self { comparison, variant, path, host, stop } = self;
        Ok(run::run::<B>(comparison, variant, path, host, device, &mut watch, stop)?)
    }
}

/// The variants with these names, all if there are none.
pub fn chosen<'a>(comparison: &'a Comparison, names: &[String]) -> anyhow::Result<Vec<&'a Variant>> {
    if names.is_empty() {
        return Ok(comparison.variants.iter().collect());
    }
    let find = |name: &String| {
        comparison.variants.iter().find(|variant| variant.name == *name).ok_or_else(|| {
            let known: Vec<&str> = comparison.variants.iter().map(|variant| variant.name.as_str()).collect();
            Usage(format!("no variant is called `{name}`; there are {}", known.join(", "))).into()
        })
    };
    names.iter().map(find).collect()
}

/// The first Ctrl-C asks for a checkpoint, the second ends the process at once.
fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        say!("stopping after this step; Ctrl-C again to stop at once");
    })?;
    Ok(stop)
}
