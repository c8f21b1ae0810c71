//! The program `meanflow`, which trains, scores and compares one-step generative models from experiment files, as a library: a
//! program with networks, objectives or data sets of its own lists them ([`Kinds`]) and calls [`main`].

#[macro_use]
mod say;

mod allocator;
mod args;
mod colour;
mod commands;
mod device;
mod watch;

use clap::Parser;
use meanflow_report::ReportError;
use meanflow_score::ScoreError;
use meanflow_train::{TrainError, config::ConfigError, jobs::INTERRUPTED};
use std::process::ExitCode;

/// What a kind of one's own is made with.
pub use meanflow_core as core;
pub use meanflow_data as data;
pub use meanflow_jvp as jvp;
pub use meanflow_metrics as metrics;
pub use meanflow_nets as nets;
pub use meanflow_settings as settings;
pub use meanflow_train::{BuiltIn, Kinds};

/// How a command ended, where that is not an error.
enum Done {
    /// Everything asked for was done.
    Yes,
    /// A check found a disagreement; it has been printed.
    No,
    /// Stopped by Ctrl-C after a checkpoint.
    Interrupted,
}

/// The whole program, over these kinds: reads the command line, does what it says, and gives the exit code.
pub fn main<K: Kinds>() -> ExitCode {
    allocator::keep_pages();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .with_ansi(colour::wanted())
        .init();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    // What is still in a buffer can fail, too.
    match check_threads().and_then(|()| commands::run::<K>(args)).inspect(|_| say::flush()) {
        Ok(Done::Yes) => ExitCode::SUCCESS,
        Ok(Done::No) => ExitCode::from(1),
        Ok(Done::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            let (text, code) = explain(&error);
            // Nobody may be listening any more; the exit code still says it.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
            ExitCode::from(code)
        }
    }
}

/// Help and version go to stdout, what is wrong with a command line to stderr.
fn usage(error: &clap::Error) -> ExitCode {
    if let (Err(unwritten), false) = (error.print(), error.use_stderr()) {
        say::unwritten(&unwritten);
    }
    say::flush();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Refuses a number of threads in `RAYON_NUM_THREADS` that no machine gives: rayon panics there.
fn check_threads() -> anyhow::Result<()> {
    const MOST_THREADS: usize = 1024;
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.trim().parse().ok());
    args::ensure_usage(asked.is_none_or(|threads: usize| threads <= MOST_THREADS), || {
        format!("RAYON_NUM_THREADS={}: at most {MOST_THREADS}", asked.unwrap_or_default())
    })
}

/// One message and the exit code: 2 for a wrong command line or configuration, 1 for everything else.
fn explain(error: &anyhow::Error) -> (String, u8) {
    let said = match error.downcast_ref::<ScoreError>().map(ScoreError::root) {
        Some(ScoreError::Request(_)) => return (format!("error: {}", chain(error)), 2),
        Some(ScoreError::Outside(said)) => Some(&**said as &(dyn std::error::Error + 'static)),
        _ => error.chain().next(),
    };
    let config = said.and_then(|said| said.downcast_ref::<ConfigError>());
    if let Some(error) = config.or_else(|| error.downcast_ref()) {
        let text = error.render(colour::wanted());
        return (text.trim_end().to_owned(), if error.is_about_data() { 1 } else { 2 });
    }
    let train = said.and_then(|said| said.downcast_ref::<TrainError>());
    let asked_wrong = train.or_else(|| error.downcast_ref()).is_some_and(TrainError::is_of_the_request);
    let asked_of_list = matches!(error.downcast_ref(), Some(ReportError::Filter(_) | ReportError::Sort(_)));
    let code = if asked_wrong || asked_of_list || error.is::<args::Usage>() { 2 } else { 1 };
    (format!("error: {}", chain(error)), code)
}

/// The error and its causes, without those that the error before already tells.
fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), |text, cause| {
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}
