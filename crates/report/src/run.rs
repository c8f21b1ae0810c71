//! One run folder, read as far as it goes.

use std::{
    fs,
    path::{Path, PathBuf},
    string::FromUtf8Error,
};

use serde_json::Value;

use crate::{
    ReportError,
    bounds::cut,
    kept::{self, KeptLine},
    log::{self, EvalLine, TrainLine},
    samples::{Grid, Points, Samples},
};

/// What a run folder holds. Whatever is missing or unreadable is absent and noted.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub dir: PathBuf,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the variant: the folder's name.
    pub variant: String,
    /// What figures and tables call the run.
    pub label: String,
    /// The resolved configuration.
    pub config: toml::Table,
    /// Its text.
    pub config_text: String,
    /// The entries of `env.json`, one a start.
    pub starts: Vec<Value>,
    /// `status.json`.
    pub status: Value,
    /// Training lines of the log.
    pub train: Vec<TrainLine>,
    /// Evaluation lines of the log.
    pub evals: Vec<EvalLine>,
    /// Lines of `scores.jsonl`, which `meanflow eval` adds.
    pub kept: Vec<KeptLine>,
    /// Files of `samples/`.
    pub samples: Samples,
    /// What is missing or unreadable, in sentences.
    pub notes: Vec<String>,
}

impl Run {
    /// Reads a run folder.
    ///
    /// # Errors
    /// [`ReportError::NotARun`] where there is no folder, or none of `config.toml`, `env.json` and `metrics.jsonl` in it.
    pub fn read(dir: &Path) -> Result<Self, ReportError> {
        let not = |reason: &str| ReportError::NotARun { path: dir.to_owned(), reason: reason.to_owned() };
        if !dir.exists() {
            return Err(not("it does not exist"));
        }
        if !dir.is_dir() {
            return Err(not("it is not a folder"));
        }
        if !["config.toml", "env.json", "metrics.jsonl"].iter().any(|name| dir.join(name).is_file()) {
            return Err(not("it has no config.toml, env.json or metrics.jsonl"));
        }
        // A relative path such as `.` has no name of its own.
        let dir = fs::canonicalize(dir).map_err(ReportError::io(dir))?;
        let name = |path: Option<&Path>| {
            path.and_then(Path::file_name)
                .map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
        };
        let variant = name(Some(&dir));
        let mut notes = Vec::new();

        let config_text = text(&dir.join("config.toml"), TEXT, &mut notes).unwrap_or_default();
        let config = config_text.parse::<toml::Table>().unwrap_or_else(|error| {
            notes.push(format!("config.toml cannot be read: {}", error.message()));
            toml::Table::new()
        });
        let starts = starts(json(&dir.join("env.json"), &mut notes));
        let status = json(&dir.join("status.json"), &mut notes);
        let log = text(&dir.join("metrics.jsonl"), LOG, &mut notes)
            .map(|text| log::parse(&text))
            .unwrap_or_default();
        if !log.bad_lines.is_empty() {
            let lines: Vec<String> = log.bad_lines.iter().take(5).map(usize::to_string).collect();
            let more = if log.bad_lines.len() > 5 { ", …" } else { "" };
            notes.push(format!(
                "metrics.jsonl: {} unreadable (line {}{more})",
                log.bad_lines.len(),
                lines.join(", ")
            ));
        }
        let experiment =
            config.get("name").and_then(toml::Value::as_str).map_or_else(|| name(dir.parent()), cut);
        let samples = Samples::read(&dir.join("samples"));
        // Only where the run was scored so.
        let kept = text(&dir.join("scores.jsonl"), TEXT, &mut Vec::new())
            .map(|text| kept::parse(&text))
            .unwrap_or_default();
        let mut run = Self {
            label: variant.clone(),
            experiment,
            variant,
            config,
            config_text,
            starts,
            status,
            train: log.train,
            evals: log.evals,
            kept,
            samples,
            notes,
            dir,
        };
        run.note_progress();
        Ok(run)
    }

    fn note_progress(&mut self) {
        let step = self.status["step"].as_u64();
        let at = step.map_or_else(String::new, |step| format!(" at step {step}"));
        match self.status["state"].as_str() {
            Some("failed") => {
                let why =
                    self.status["error"].as_str().map_or_else(String::new, |why| format!(": {}", cut(why)));
                self.notes.push(format!("the run failed{at}{why}"));
            }
            Some("finished") | None => {}
            Some(_) => self.notes.push(format!("the run is not finished: it stands{at}")),
        }
        self.note_failed_scores();
        if self.train.is_empty() {
            self.notes.push("no training line is logged yet".to_owned());
        }
        // With `metrics = []` there are samples and no numbers.
        if self.evals.is_empty() && self.samples.is_empty() {
            self.notes.push("no evaluation is logged yet".to_owned());
        } else if self.samples.is_empty() {
            self.notes.push("there are no sample files".to_owned());
        }
    }

    /// One note a reason.
    fn note_failed_scores(&mut self) {
        let mut reasons: Vec<(&str, Vec<&EvalLine>)> = Vec::new();
        for line in &self.evals {
            let Some(reason) = line.failed.as_deref() else { continue };
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, lines)) => lines.push(line),
                None => reasons.push((reason, vec![line])),
            }
        }
        let note = |(reason, lines): (&str, Vec<&EvalLine>)| {
            let EvalLine { metric, nfe, step, .. } = lines[0];
            let more = match lines.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("the score {metric} at {nfe} NFE of step {step}{more} could not be computed: {reason}")
        };
        let notes: Vec<String> = reasons.into_iter().map(note).collect();
        self.notes.extend(notes);
    }

    /// Labels of the EMAs that were evaluated, in the order of the log; `none` is the raw weights.
    pub fn emas(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = Vec::new();
        for line in &self.evals {
            if !labels.contains(&line.ema.as_str()) {
                labels.push(&line.ema);
            }
        }
        labels
    }

    /// The EMA that figures show: the first that is not the raw weights, else these.
    pub fn main_ema(&self) -> Option<&str> {
        let emas = self.emas();
        emas.get(main_place(&emas)).copied()
    }

    /// The newest sample grids of the main EMA, by NFE.
    pub fn grids(&self) -> Vec<&Grid> {
        let emas = self.emas();
        self.samples.newest_grids(&emas, main_place(&emas))
    }

    /// The newest points, where the data is points.
    pub fn points(&self) -> Option<&Points> {
        self.samples.points.as_ref()
    }

    /// Trainable parameters.
    pub fn parameters(&self) -> Option<u64> {
        self.status["parameters"].as_u64()
    }

    /// Floating-point operations of training, an image.
    pub fn flops_an_image(&self) -> Option<f64> {
        self.status["flops_an_image"].as_f64()
    }

    /// Training time at a step, seconds: at the last line of the log up to it.
    pub fn secs_at(&self, step: u64) -> Option<f64> {
        let after = self.train.partition_point(|line| line.step <= step as f64);
        self.train[..after].last()?.secs
    }

    /// The experiment file as it was given.
    pub fn config_as_given(&self) -> Option<&str> {
        self.starts.first()?["config_text"].as_str()
    }
}

/// Older versions recorded the first start alone.
fn starts(record: Value) -> Vec<Value> {
    match record {
        Value::Object(mut record) => match record.remove("starts") {
            Some(Value::Array(starts)) => starts,
            _ => vec![Value::Object(record)],
        },
        _ => Vec::new(),
    }
}

fn main_place(emas: &[&str]) -> usize {
    emas.iter().position(|label| *label != "none").unwrap_or(0)
}

/// Bytes of a log; longer runs log less often.
const LOG: u64 = 1 << 28;

/// Bytes of other files.
const TEXT: u64 = 1 << 24;

fn lossy(error: FromUtf8Error) -> String {
    String::from_utf8_lossy(error.as_bytes()).into_owned()
}

fn text(path: &Path, most: u64, notes: &mut Vec<String>) -> Option<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match meanflow_files::read_at_most(path, most) {
        Ok(bytes) => Some(String::from_utf8(bytes).unwrap_or_else(lossy)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            notes.push(format!("{name} is missing"));
            None
        }
        Err(error) => {
            notes.push(format!("{name} cannot be read: {error}"));
            None
        }
    }
}

fn json(path: &Path, notes: &mut Vec<String>) -> Value {
    let Some(text) = text(path, TEXT, notes) else { return Value::Null };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        notes.push(format!("{name} cannot be read: {error}"));
        Value::Null
    })
}
