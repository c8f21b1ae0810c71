//! `meanflow report`.

use crate::{Done, args::Report};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes the page and prints its path.
pub fn run(args: Report) -> anyhow::Result<Done> {
    let mut runs = Vec::new();
    for path in &args.runs {
        runs.extend(variants(path)?);
    }
    let beside = || runs[0].parent().unwrap_or(Path::new(".")).join("report");
    let out = args.out.unwrap_or_else(beside);
    let summary = meanflow_report::write(&runs, &out)?;
    for note in &summary.notes {
        say!("note: {note}");
    }
    tell!("{}", summary.index.display());
    Ok(Done::Yes)
}

/// The folder itself if it is a run, else the runs in it, in the order in which they were started.
fn variants(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.join("config.toml").is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let entries =
        fs::read_dir(path).map_err(|error| anyhow::anyhow!("cannot read {}: {error}", path.display()))?;
    for entry in entries {
        let folder = entry?.path();
        if let Ok(metadata) = fs::metadata(folder.join("config.toml")) {
            found.push((metadata.modified()?, folder));
        }
    }
    anyhow::ensure!(
        !found.is_empty(),
        "{} holds no run (no config.toml in it or in its folders)",
        path.display()
    );
    found.sort();
    Ok(found.into_iter().map(|(_, folder)| folder).collect())
}
