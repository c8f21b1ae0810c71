//! `meanflow run`: every variant, then the report.

use crate::{
    Done,
    args::Run,
    chain,
    commands::report::tell_written,
    device::{self, Work},
    watch::Watch,
};
use anyhow::Context;
use clap::ValueEnum;
use meanflow_core::objective::TrainBackend;
use meanflow_train::{
    Kinds, TrainError,
    config::{Comparison, Plan, Variant},
    env::{Host, sha256},
    home::is_run,
    jobs, resume,
    run::{self, Outcome},
};
use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Trains what is not trained yet, scores it and writes the report.
pub fn run<K: Kinds>(args: Run) -> anyhow::Result<Done> {
    let comparison = Comparison::<K>::load(&args.experiment, &args.set)?;
    if args.dry_run {
        let plan = Plan::new(&comparison, &args.runs_dir);
        if args.json {
            tell!("{}", serde_json::to_string_pretty(&plan)?);
        } else {
            tell_as_is!("{plan}");
        }
        return Ok(Done::Yes);
    }
    let chosen = comparison.chosen(&args.variant)?;
    let folder = args.runs_dir.join(&comparison.name);
    // A changed file is refused before anything is trained; a folder that cannot be read is no concern of the other variants.
    for variant in &chosen {
        if let Err(error @ TrainError::Changed { .. }) =
            resume::check_unchanged(&folder.join(&variant.name), variant)
        {
            return Err(error.into());
        }
    }
    let stop = stop_on_ctrl_c()?;
    let host = Host {
        device: device::describe(args.on.device),
        features: device::features(),
        threads: rayon::current_num_threads(),
        lock_sha256: sha256(K::lock()),
        command: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
    };
    if args.child {
        jobs::listen(&stop);
    }
    let mut failures: Vec<(&str, anyhow::Error)> = Vec::new();
    for phase in Comparison::phases(&chosen) {
        let side_by_side = args.jobs.get() > 1 && phase.len() > 1;
        if side_by_side {
            let names: Vec<&str> = phase.iter().map(|variant| variant.name.as_str()).collect();
            // Shared out, unless the variable says how many each has.
            let threads = (rayon::current_num_threads() / args.jobs.get().min(names.len())).max(1);
            let command = |name: &str| child(&args, name, threads);
            let ended = jobs::run(names, args.jobs.get(), &stop, command, passed_on)
                .context("cannot start a process for a variant, or wait for it")?;
            let failure = |(name, status)| (name, anyhow::anyhow!("{status}; its lines above say why"));
            failures.extend(ended.failures.into_iter().map(failure));
            if ended.interrupted {
                return Ok(stopped("stopped", &failures));
            }
        }
        for variant in phase.iter().filter(|_| !side_by_side) {
            let path = &folder.join(&variant.name);
            let train = Train { comparison: &comparison, variant, path, host: &host, stop: &stop };
            let outcome = device::dispatch(args.on.device, train);
            if let Ok(Outcome::Interrupted { step }) = outcome {
                say!(
                    "{}: stopped at step {step}, checkpoint written; the same command goes on",
                    variant.name
                );
                list(&failures);
                return Ok(Done::Interrupted);
            }
            if let Err(error) = ended(variant, outcome) {
                // Others go on; one that starts from it will say that it is not finished.
                failures.push((&variant.name, error));
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(stopped(&format!("stopped after {}", variant.name), &failures));
            }
        }
    }
    let reported = if args.child { Ok(()) } else { report(&comparison, &folder) };
    if let Err(error) = reported {
        failures.push(("report", error));
    }
    match failures.len() {
        0 => Ok(Done::Yes),
        1 if chosen.len() == 1 => Err(failures.remove(0).1),
        _ => {
            list(&failures);
            Ok(Done::No)
        }
    }
}

/// A line of the process of a variant, under its name.
fn passed_on(name: &str, text: &str) {
    match text.strip_prefix(name) {
        Some(rest) if rest.starts_with(':') => say!("{text}"),
        _ => say!("{name}: {text}"),
    }
}

/// This program on one variant, with so many threads.
fn child(args: &Run, name: &str, threads: usize) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg(&args.experiment).arg("--runs-dir").arg(&args.runs_dir);
    for set in &args.set {
        command.arg("--set").arg(set);
    }
    let device = args.on.device.to_possible_value().expect("no device is hidden");
    command.args(["--variant", name, "--child", "--device", device.get_name()]);
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    Ok(command)
}

/// An error, unless the variant is trained and has all its scores.
fn ended<K: Kinds>(variant: &Variant<K>, outcome: anyhow::Result<Outcome>) -> anyhow::Result<()> {
    let outcome = outcome?;
    if matches!(outcome, Outcome::Unchanged { .. }) {
        say!("{}: already trained, nothing to do", variant.name);
    }
    let failed_scores = outcome.failed_scores();
    anyhow::ensure!(
        failed_scores == 0,
        "trained, but {failed_scores} of its scores could not be computed; the lines `score-failed` of its metrics.jsonl say why"
    );
    Ok(())
}

/// Writes the page of all variants that have been begun, also of those that were not asked for, and prints its path.
fn report<K: Kinds>(comparison: &Comparison<K>, folder: &Path) -> anyhow::Result<()> {
    let all = comparison.variants.iter().map(|variant| folder.join(&variant.name));
    let paths: Vec<PathBuf> = all.filter(|path| is_run(path)).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let summary = meanflow_report::write(&paths, &folder.join("report"))
        .context("what was trained is kept, but there is no report")?;
    tell_written(&summary);
    Ok(())
}

/// What failed, where there is something.
fn list(failures: &[(&str, anyhow::Error)]) {
    if !failures.is_empty() {
        say!("{} failed:", failures.len());
    }
    for (name, error) in failures {
        say!("  {name}: {}", chain(error));
    }
}

fn stopped(text: &str, failures: &[(&str, anyhow::Error)]) -> Done {
    say!("{text}; the same command goes on");
    list(failures);
    Done::Interrupted
}

struct Train<'a, K: Kinds> {
    comparison: &'a Comparison<K>,
    variant: &'a Variant<K>,
    path: &'a Path,
    host: &'a Host,
    stop: &'a AtomicBool,
}

impl<K: Kinds> Work for Train<'_, K> {
    type Output = Outcome;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Outcome> {
        let mut watch = Watch::new();
        let Self { comparison, variant, path, host, stop } = self;
        Ok(run::run::<B, K>(comparison, variant, path, host, device, &mut watch, stop)?)
    }
}

/// The first Ctrl-C or SIGTERM asks for a checkpoint, the second ends the process at once: every file of a run is whole at
/// every moment, and what is half written is removed by the next start.
fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            say!("stopping at once; the same command goes on from the last checkpoint");
            std::process::exit(i32::from(jobs::INTERRUPTED));
        }
        say!("stopping after this step, or part of an evaluation; once more to stop at once");
    })?;
    Ok(stop)
}
