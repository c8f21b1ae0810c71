//! `meanflow report`, `runs` and `diff`: what is read out of run folders.

use crate::{
    Done,
    args::{Diff, Report, Runs, ensure_usage},
};
use meanflow_report::{Compared, Listing, Summary};
use meanflow_train::home::some_runs_within;
use serde_json::Value;
use std::path::PathBuf;

/// Writes the page and prints its path.
pub fn run(args: Report) -> anyhow::Result<Done> {
    let runs = within(&args.runs)?;
    // The page of several experiments is that of none of them.
    let alike = runs.iter().all(|run| run.parent() == runs[0].parent());
    ensure_usage(alike || args.out.is_some(), || {
        "the runs are of several experiments: say by --out where the page is to be".to_owned()
    })?;
    let beside = || runs[0].with_file_name("report");
    let out = args.out.unwrap_or_else(beside);
    let summary = meanflow_report::write(&runs, &out)?;
    tell_written(&summary);
    Ok(Done::Yes)
}

/// Every run in these folders.
pub fn within(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let found = folders.iter().map(|path| some_runs_within(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.concat())
}

/// A line a run.
pub fn runs(args: Runs) -> anyhow::Result<Done> {
    let listing = Listing::new(&within(&args.folders)?, &args.filter, args.sort.as_deref())?;
    told(args.json.then(|| listing.json()), || listing.text(args.sort.as_deref()))
}

/// Two runs side by side.
pub fn diff(args: Diff) -> anyhow::Result<Done> {
    let compared = Compared::new(&args.first, &args.second)?;
    told(args.json.then(|| compared.json()), || compared.text())
}

fn told(json: Option<Value>, text: impl FnOnce() -> String) -> anyhow::Result<Done> {
    match json {
        Some(json) => tell!("{json:#}"),
        None => tell_as_is!("{}", text()),
    }
    Ok(Done::Yes)
}

/// What is missing from a page, and where it is.
pub fn tell_written(summary: &Summary) {
    summary.notes.iter().for_each(|note| say!("note: {note}"));
    tell!("{}", summary.index.display());
}
