//! `meanflow report`.

use crate::{Done, args::Report};
use meanflow_report::Summary;
use meanflow_train::home::some_runs_within;
use std::path::Path;

/// Writes the page and prints its path.
pub fn run(args: Report) -> anyhow::Result<Done> {
    let mut runs = Vec::new();
    for path in &args.runs {
        runs.extend(some_runs_within(path)?);
    }
    let beside = || runs[0].parent().unwrap_or(Path::new(".")).join("report");
    let out = args.out.unwrap_or_else(beside);
    let summary = meanflow_report::write(&runs, &out)?;
    tell_written(&summary);
    Ok(Done::Yes)
}

/// What is missing from a page, and where it is.
pub fn tell_written(summary: &Summary) {
    summary.notes.iter().for_each(|note| say!("note: {note}"));
    tell!("{}", summary.index.display());
}
