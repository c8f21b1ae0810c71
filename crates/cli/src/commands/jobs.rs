//! `run --jobs N`: variants side by side, each in a process of its own.
//!
//! A child is the same program on one variant. Its stdin is a line to the parent: a byte asks it to stop after a checkpoint; the
//! end, that the parent is gone, ends it at once, which hurts no run folder.

use crate::args::Run;
use anyhow::Context;
use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often children are looked at.
const POLL: Duration = Duration::from_millis(50);

/// A process, and the threads that pass on its lines.
struct Running<'a> {
    name: &'a str,
    child: Child,
    lines: Vec<JoinHandle<()>>,
}

/// What became of the variants.
pub struct Ended<'a> {
    /// Those that failed, with what is known of it.
    pub failures: Vec<(&'a str, anyhow::Error)>,
    /// Whether one was stopped before its end.
    pub interrupted: bool,
}

/// Trains these variants, so many at a time, until all have ended or `stop` is set. Threads are shared out, unless
/// `RAYON_NUM_THREADS` says how many each has.
pub fn run<'a>(args: &Run, names: Vec<&'a str>, jobs: usize, stop: &AtomicBool) -> anyhow::Result<Ended<'a>> {
    let threads = (rayon::current_num_threads() / jobs.min(names.len())).max(1);
    let (mut waiting, mut running) = (VecDeque::from(names), Vec::<Running>::new());
    let mut ended = Ended { failures: Vec::new(), interrupted: false };
    let mut told = false;
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        while let Some(name) = (!stopping && running.len() < jobs).then(|| waiting.pop_front()).flatten() {
            running.push(start(args, name, threads).context("cannot start a process for a variant")?);
        }
        if stopping && !told {
            told = true;
            for running in &mut running {
                // One that has just ended hears nothing.
                let _ = running.child.stdin.as_mut().map(|line| line.write_all(b"s"));
            }
        }
        let mut left = Vec::new();
        for mut one in running {
            let Some(status) = one.child.try_wait().context("cannot wait for a variant")? else {
                left.push(one);
                continue;
            };
            // Its last lines come before what is said of it.
            one.lines.into_iter().for_each(|thread| drop(thread.join()));
            match status.code() {
                Some(0) => {}
                Some(130) => ended.interrupted = true,
                _ => ended.failures.push((one.name, anyhow::anyhow!("{status}; its lines above say why"))),
            }
        }
        running = left;
        if running.is_empty() && (stopping || waiting.is_empty()) {
            ended.interrupted |= !waiting.is_empty();
            return Ok(ended);
        }
        thread::sleep(POLL);
    }
}

/// A process for one variant, whose lines get its name in front.
fn start<'a>(args: &Run, name: &'a str, threads: usize) -> anyhow::Result<Running<'a>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg(&args.experiment).arg("--runs-dir").arg(&args.runs_dir);
    for set in &args.set {
        command.arg("--set").arg(set);
    }
    command.args(["--variant", name, "--child", "--device", args.on.device.name()]);
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    // Ctrl-C reaches the parent alone, which passes it on once.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as _),
        child.stderr.take().map(|stream| Box::new(stream) as _),
    ];
    let pass_on = |stream| {
        let name = name.to_owned();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                say!("{name}: {line}");
            }
        })
    };
    let lines = streams.into_iter().flatten().map(pass_on).collect();
    Ok(Running { name, child, lines })
}

/// In a child: hears what the parent says.
pub fn listen(stop: &Arc<AtomicBool>) {
    let stop = stop.clone();
    thread::spawn(move || {
        let mut line = std::io::stdin().lock();
        let mut byte = [0];
        while matches!(line.read(&mut byte), Ok(1)) {
            stop.store(true, Ordering::Relaxed);
        }
        std::process::exit(130);
    });
}
