//! Whether a run folder holds what a run wrote into it: `meanflow doctor RUN`. Nothing is changed.

use crate::{
    Kinds, TrainError,
    checkpoint::{self, Expected, Stored},
    config::Variant,
    env,
    folder::{in_use, read_if_present},
    known::variant_of,
    resume::has_checkpoints,
};
use meanflow_score::kept;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// What is said of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, as seen from the run folder.
    pub file: PathBuf,
    /// What is wrong with it.
    pub wrong: Option<String>,
    /// Something to know about a file that is not wrong.
    pub note: Option<String>,
}

impl Finding {
    /// In a line, with the path of the file in this folder.
    pub fn line(&self, run: &Path) -> String {
        let file = run.join(&self.file);
        let (verdict, words) = match (&self.wrong, &self.note) {
            (Some(reason), _) => ("wrong", format!(": {reason}")),
            (None, Some(note)) => ("ok   ", format!(" ({note})")),
            (None, None) => ("ok   ", String::new()),
        };
        format!("{verdict} {}{words}", file.display())
    }
}

/// Reads every file of a run folder and compares them with each other. A process may be at work in it meanwhile.
///
/// # Errors
/// [`TrainError::NoRun`] if it is no run folder, [`TrainError::Read`] if a folder cannot be listed.
pub fn verify<K: Kinds>(run: &Path) -> Result<Vec<Finding>, TrainError> {
    let variant = variant_of::<K>(run)?;
    let (busy, begun) = (in_use(run)?, has_checkpoints(run)?);
    let mut findings = vec![found("config.toml", Ok(None))];
    // Up to the first checkpoint a start writes them one after the other.
    let mut add = |file: &str, said: &dyn Fn() -> Said| {
        let due = begun || run.join(file).exists();
        findings.push(found(file, if due { said() } else { Ok(Some("not written yet".to_owned())) }));
    };
    add("env.json", &|| record(run));
    add("status.json", &|| status(run, &variant, busy));
    add("metrics.jsonl", &|| log(run));
    if run.join(kept::FILE).exists() {
        findings.push(found(kept::FILE, scores(&run.join(kept::FILE))));
    }
    for path in files(&run.join("checkpoints"))? {
        let result = match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => stored(&path, run, &variant),
            Some("json") if path.ends_with("scored.json") => Ok(None),
            Some("json") => json(&path).map(|_| None),
            Some("damaged") => Ok(Some("a damaged checkpoint that was set aside".to_owned())),
            _ => Ok(Some("not a file of this version".to_owned())),
        };
        findings.push(found(path.strip_prefix(run).unwrap_or(&path), result));
    }
    for path in files(&run.join("samples"))? {
        findings.push(found(path.strip_prefix(run).unwrap_or(&path), sample(&path)));
    }
    if busy || in_use(run)? {
        // What a process has removed since the folder was listed is not damaged.
        findings.retain(|finding| finding.wrong.is_none() || run.join(&finding.file).exists());
    }
    Ok(findings)
}

/// A note, or what is wrong.
type Said = Result<Option<String>, String>;

fn found(file: impl AsRef<Path>, said: Said) -> Finding {
    let file = file.as_ref().to_owned();
    match said {
        Ok(note) => Finding { file, wrong: None, note },
        Err(wrong) => Finding { file, wrong: Some(wrong), note: None },
    }
}

/// The files of a folder by name; none if there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(TrainError::read(folder))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(TrainError::read(folder))?;
    paths.sort();
    Ok(paths)
}

fn json(path: &Path) -> Result<Value, String> {
    let bytes = read_if_present(path).map_err(|error| error.to_string())?.ok_or("it is missing")?;
    serde_json::from_slice(&bytes).map_err(|error| format!("it is no JSON: {error}"))
}

fn record(run: &Path) -> Said {
    json(&run.join("env.json"))?;
    let starts = env::starts(run).map_err(|error| error.to_string())?;
    for start in &starts {
        let diff = &start["diff"];
        let (Some(file), Some(expected)) = (diff["file"].as_str(), diff["sha256"].as_str()) else { continue };
        let bytes = read_if_present(&run.join(file)).map_err(|error| error.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("it names {file}, which is missing"))?;
        if env::sha256(&bytes) != expected {
            return Err(format!("{file} is not what it was: its sha256 is another"));
        }
    }
    match starts.len() {
        0 => Err("it holds no start".to_owned()),
        1 => Ok(None),
        count => Ok(Some(format!("{count} starts"))),
    }
}

fn status<K: Kinds>(run: &Path, variant: &Variant<K>, busy: bool) -> Said {
    let status = json(&run.join("status.json"))?;
    let (state, step) = (status["state"].as_str().unwrap_or_default(), status["step"].as_u64());
    match (state, step) {
        ("finished", Some(step)) if step > variant.train.steps => {
            Err(format!("it says finished at step {step}, and the run has {}", variant.train.steps))
        }
        ("finished", Some(step)) if step < variant.train.steps => {
            Ok(Some(format!("finished at step {step}, and to go on to {}", variant.train.steps)))
        }
        ("running", Some(step)) if busy => Ok(Some(format!("a process is at step {step} or later"))),
        ("running", Some(step)) => Ok(Some(format!("killed at step {step} or later: no process is at it"))),
        ("interrupted" | "finished" | "failed", Some(step)) => Ok(Some(format!("{state} at step {step}"))),
        _ => Err("it tells no state and step".to_owned()),
    }
}

/// Every line is JSON with a kind and a step; training lines rise. Only the last line may be torn.
fn log(run: &Path) -> Said {
    let file =
        File::open(run.join("metrics.jsonl")).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut reader = BufReader::new(file);
    let (mut line, mut number, mut last) = (Vec::new(), 0u64, 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if read == 0 {
            return Ok(Some(format!("{number} lines up to step {last}")));
        }
        if line.last() != Some(&b'\n') {
            return Ok(Some(format!("{number} lines up to step {last}, and a torn one")));
        }
        number += 1;
        let entry: Value =
            serde_json::from_slice(&line).map_err(|error| format!("line {number} is no JSON: {error}"))?;
        let (Some(kind), Some(step)) = (entry["kind"].as_str(), entry["step"].as_u64()) else {
            return Err(format!("line {number} has no kind or no step"));
        };
        if step < last || (kind == "train" && step == last) {
            return Err(format!("line {number} is of step {step}, after one of step {last}"));
        }
        // Scores stand after the training line of their step.
        last = if kind == "train" { step } else { last };
    }
}

/// Every line is JSON, but for one that was torn.
fn scores(path: &Path) -> Said {
    let text = fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let torn = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    let lines = text.lines().count() - torn;
    Ok(Some(if torn == 0 {
        format!("{lines} scores")
    } else {
        format!("{lines} scores, and {torn} torn lines")
    }))
}

fn stored<K: Kinds>(path: &Path, run: &Path, variant: &Variant<K>) -> Said {
    let log = run.join("metrics.jsonl");
    let expected = Expected { steps: variant.train.steps, batch: variant.train.batch as u64, log: &log };
    let read = || {
        let stored = Stored::open(path)?;
        checkpoint::check(path, &stored.progress, &expected)?;
        let sums = stored.has_checksum();
        stored.compare()?;
        Ok(sums)
    };
    match read() {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some("it has no checksum: an older version wrote it".to_owned())),
        Err(TrainError::Checkpoint { reason, .. }) => Err(reason),
        Err(error) => Err(error.to_string()),
    }
}

fn sample(path: &Path) -> Said {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("png") => {
            image::open(path).map(|_| None).map_err(|error| format!("it is no whole picture: {error}"))
        }
        Some("json") => json(path).map(|_| None),
        _ => Ok(Some("not a file of this version".to_owned())),
    }
}
