//! Variants side by side, each in a process of its own.
//!
//! A child is the same program on one variant. Its stdin is a line to the parent: a byte asks it to stop after a checkpoint; the
//! end, that the parent is gone, ends it at once, which hurts no run folder.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The exit code of a program that was asked to stop, and did after a checkpoint.
pub const INTERRUPTED: u8 = 130;

/// How often children are looked at.
const POLL: Duration = Duration::from_millis(50);

/// A process, and the threads that pass on its lines.
struct Running<'a> {
    name: &'a str,
    child: Child,
    lines: Vec<JoinHandle<()>>,
}

/// What became of the variants.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Those that failed.
    pub failures: Vec<(&'a str, ExitStatus)>,
    /// Whether one was stopped before its end.
    pub interrupted: bool,
}

/// Trains these variants, so many at a time, until all have ended or `stop` is set. `command` is the program on one of them, and
/// `line` is called with a variant and each line that it prints.
///
/// # Errors
/// A process that cannot be started or waited for.
pub fn run<'a>(
    names: Vec<&'a str>,
    jobs: usize,
    stop: &AtomicBool,
    command: impl Fn(&str) -> io::Result<Command>,
    line: fn(&str, &str),
) -> io::Result<Ended<'a>> {
    let (mut waiting, mut running) = (VecDeque::from(names), Vec::<Running>::new());
    let mut ended = Ended { failures: Vec::new(), interrupted: false };
    let mut told = false;
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        while let Some(name) = (!stopping && running.len() < jobs).then(|| waiting.pop_front()).flatten() {
            running.push(start(name, command(name)?, line)?);
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
            let Some(status) = one.child.try_wait()? else {
                left.push(one);
                continue;
            };
            // Its last lines come before what is said of it.
            one.lines.into_iter().for_each(|thread| drop(thread.join()));
            match status.code() {
                Some(0) => {}
                Some(code) if code == i32::from(INTERRUPTED) => ended.interrupted = true,
                _ => ended.failures.push((one.name, status)),
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

/// A process for one variant, whose lines are passed on.
fn start<'a>(name: &'a str, mut command: Command, line: fn(&str, &str)) -> io::Result<Running<'a>> {
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
            BufReader::new(stream).lines().map_while(Result::ok).for_each(|text| line(&name, &text));
        })
    };
    let lines = streams.into_iter().flatten().map(pass_on).collect();
    Ok(Running { name, child, lines })
}

/// In a child: hears what the parent says.
pub fn listen(stop: &Arc<AtomicBool>) {
    let stop = stop.clone();
    thread::spawn(move || {
        let mut line = io::stdin().lock();
        let mut byte = [0];
        while matches!(line.read(&mut byte), Ok(1)) {
            stop.store(true, Ordering::Relaxed);
        }
        std::process::exit(i32::from(INTERRUPTED));
    });
}
