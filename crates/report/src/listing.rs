//! Many runs, a line each: `meanflow runs`.

use crate::{ReportError, diff::flatten, log::EvalLine, run::Run, style};
use serde_json::{Value, json};
use std::{cmp::Ordering, path::PathBuf};

/// Runs that pass every filter, in their order.
#[derive(Clone, Debug)]
pub struct Listing(Vec<Listed>);

/// A run as the list has it.
#[derive(Clone, Debug)]
struct Listed {
    path: PathBuf,
    run: Run,
}

/// A condition on a run: a key, how it compares, and a value.
#[derive(Clone, Debug, PartialEq)]
struct Filter<'a> {
    key: &'a str,
    /// As it is written: `=`, `!=`, `<` or `>`.
    relation: &'static str,
    value: &'a str,
}

impl<'a> Filter<'a> {
    /// `!=` before `=`, which it ends with.
    const RELATIONS: [&'static str; 4] = ["!=", "=", "<", ">"];

    fn parse(text: &'a str) -> Result<Self, ReportError> {
        let found = Self::RELATIONS.iter().find_map(|&relation| {
            let (key, value) = text.split_once(relation)?;
            Some(Self { key: key.trim(), relation, value: value.trim() })
        });
        let sound = |filter: &Self| !filter.key.is_empty() && !filter.key.ends_with(['<', '>', '!']);
        found.filter(sound).ok_or_else(|| ReportError::Filter(text.to_owned()))
    }

    /// A run without that key differs from every value, and is neither above nor below one.
    fn holds(&self, run: &Listed) -> bool {
        let found = run.value(self.key);
        let order = found.as_deref().map(|found| order(found, self.value));
        match self.relation {
            "=" => order == Some(Ordering::Equal),
            "!=" => order != Some(Ordering::Equal),
            "<" => order == Some(Ordering::Less),
            _ => order == Some(Ordering::Greater),
        }
    }
}

/// Numbers by their size, else texts.
fn order(a: &str, b: &str) -> Ordering {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// A number, also of steps: resolved configurations have periods in them.
fn number(text: &str) -> Option<f64> {
    text.strip_suffix(" steps").unwrap_or(text).parse().ok()
}

impl Listed {
    /// What a filter or an order can name: `path`, `state`, `step`, `device`, `commit`, `started`, a score as `METRIC@NFE`, or a
    /// key of the configuration; `objective`, `net` and `data` are the kinds.
    fn value(&self, key: &str) -> Option<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match key {
            "path" => Some(self.path.display().to_string()),
            "state" => text(&self.run.status["state"]),
            "step" => self.run.status["step"].as_u64().map(|step| step.to_string()),
            "device" => text(&self.last_start("device")),
            "commit" => text(&self.last_start("git")).map(|commit| commit.chars().take(8).collect()),
            "started" => text(&self.last_start("started")),
            "objective" | "net" | "data" => self.run.config.get(key)?.as_table()?.keys().next().cloned(),
            _ => self
                .score(key)
                .filter(|line| line.value.is_finite())
                .map(|line| line.value.to_string())
                .or_else(|| {
                    let flat = flatten(&self.run.config);
                    let value = flat.into_iter().find(|(known, _)| known == key)?.1;
                    Some(value.trim_matches('"').to_owned())
                }),
        }
    }

    /// The score that `METRIC@NFE` names; a metric alone is that at the fewest evaluations.
    fn score(&self, key: &str) -> Option<&EvalLine> {
        let (metric, nfe) = match key.rsplit_once('@') {
            Some((metric, nfe)) => (metric, Some(nfe.parse().ok()?)),
            None => (key, None),
        };
        let mut scores = self.scores().into_iter();
        scores.find(|line| line.metric == metric && nfe.is_none_or(|nfe: u64| nfe == line.nfe))
    }

    /// The last scores of the average that figures show, in the order of the log, the fewest evaluations first.
    fn scores(&self) -> Vec<&EvalLine> {
        let ema = self.run.main_ema();
        let of_ema = || self.run.evals.iter().filter(|line| Some(line.ema.as_str()) == ema);
        let last = of_ema().map(|line| line.step).max();
        let mut lines: Vec<&EvalLine> = of_ema().filter(|line| Some(line.step) == last).collect();
        let mut metrics: Vec<&str> = lines.iter().map(|line| line.metric.as_str()).collect();
        metrics.dedup();
        lines.sort_by_key(|line| (metrics.iter().position(|metric| *metric == line.metric), line.nfe));
        lines
    }

    /// An entry of the last start.
    fn last_start(&self, key: &str) -> Value {
        self.run.starts.last().map_or(Value::Null, |start| start[key].clone())
    }

    fn json(&self) -> Value {
        let kind = |key| self.value(key);
        let number = |value: f64| if value.is_finite() { json!(value) } else { Value::Null };
        let score = |line: &&EvalLine| json!({"metric": line.metric, "nfe": line.nfe, "value": number(line.value), "n": line.n, "digest": line.digest, "failed": line.failed});
        json!({
            "path": self.path, "experiment": self.run.experiment, "variant": self.run.variant,
            "state": self.run.status["state"], "error": self.run.status["error"], "step": self.run.status["step"],
            "steps": self.steps(), "parameters": self.run.parameters(),
            "objective": kind("objective"), "net": kind("net"), "data": kind("data"),
            "seed": self.run.config.get("seed").and_then(toml::Value::as_integer),
            "device": self.last_start("device"), "git": self.last_start("git"), "dirty": self.last_start("dirty"), "started": self.last_start("started"),
            "ema": self.run.main_ema(), "scores": self.scores().iter().map(score).collect::<Vec<_>>(),
        })
    }

    fn steps(&self) -> Option<u64> {
        let steps = self.run.config.get("train")?.get("steps")?;
        let text = steps.as_str().map_or_else(|| steps.to_string(), str::to_owned);
        Some(number(&text)? as u64)
    }

    /// The cells of its line; of the scores those of `metric`, by default of the first.
    fn cells(&self, metric: Option<&str>) -> [String; 6] {
        let unknown = || "?".to_owned();
        let step = self.run.status["step"].as_u64().map_or_else(unknown, |step| step.to_string());
        let steps = self.steps().map_or_else(unknown, |steps| steps.to_string());
        let scores = self.scores();
        let metric = metric.or_else(|| scores.first().map(|line| line.metric.as_str()));
        let shown: Vec<String> = scores
            .iter()
            .filter(|line| Some(line.metric.as_str()) == metric)
            .map(|line| format!("{}@{} {}", line.metric, line.nfe, style::short(line.value)))
            .collect();
        let commit = self.value("commit").unwrap_or_default();
        [
            self.path.display().to_string(),
            self.value("state").unwrap_or_else(unknown),
            format!("{step}/{steps}"),
            shown.join("  "),
            self.value("device").unwrap_or_default(),
            commit,
        ]
    }
}

impl Listing {
    /// The runs in these folders that pass all `filters`, sorted by `sort` where that is given: rising, or falling if it begins
    /// with `-`; runs without that value come last.
    ///
    /// # Errors
    /// [`ReportError::NotARun`]; [`ReportError::Filter`] for a text that is no condition; [`ReportError::Sort`] for a key that no run has.
    pub fn new(folders: &[PathBuf], filters: &[String], sort: Option<&str>) -> Result<Self, ReportError> {
        let filters = filters.iter().map(|text| Filter::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let read = |path: &PathBuf| Ok(Listed { path: path.clone(), run: Run::read(path)? });
        let mut runs = folders.iter().map(read).collect::<Result<Vec<_>, ReportError>>()?;
        if let Some(sort) = sort {
            let (key, falling) = sort.strip_prefix('-').map_or((sort, false), |key| (key, true));
            if !runs.is_empty() && runs.iter().all(|run| run.value(key).is_none()) {
                return Err(ReportError::Sort(key.to_owned()));
            }
            runs.sort_by(|a, b| match (a.value(key), b.value(key)) {
                (Some(a), Some(b)) if falling => order(&b, &a),
                (Some(a), Some(b)) => order(&a, &b),
                (a, b) => a.is_none().cmp(&b.is_none()),
            });
        }
        for filter in &filters {
            if !runs.is_empty() && runs.iter().all(|run| run.value(filter.key).is_none()) {
                return Err(ReportError::Sort(filter.key.to_owned()));
            }
        }
        runs.retain(|run| filters.iter().all(|filter| filter.holds(run)));
        Ok(Self(runs))
    }

    /// A line a run in columns, below a line that names them; of the scores the first metric, or that which `shown` names.
    pub fn text(&self, shown: Option<&str>) -> String {
        let metric = shown
            .map(|key| key.trim_start_matches('-'))
            .map(|key| key.rsplit_once('@').map_or(key, |(metric, _)| metric));
        let metric = metric.filter(|metric| self.0.iter().any(|run| run.score(metric).is_some()));
        let names = ["run", "state", "step", "scores", "device", "commit"].map(str::to_owned);
        let rows: Vec<[String; 6]> =
            std::iter::once(names).chain(self.0.iter().map(|run| run.cells(metric))).collect();
        columns(&rows)
    }

    /// An array with an object a run: all scores of the last evaluation, and where the run came from.
    pub fn json(&self) -> Value {
        self.0.iter().map(Listed::json).collect()
    }
}

/// Cells below each other, two spaces between columns.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A run folder with a seed, a step and scores at one and two evaluations.
    fn run(folder: &Path, name: &str, seed: u64, step: u64, w2: [f64; 2]) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir(&path).unwrap();
        let config =
            format!("name = \"x\"\nseed = {seed}\n[objective.meanflow]\nshare = 0.5\n[train]\nsteps = 90\n");
        std::fs::write(path.join("config.toml"), config).unwrap();
        let status = format!("{{\"state\":\"finished\",\"step\":{step}}}");
        std::fs::write(path.join("status.json"), status).unwrap();
        let env = "{\"starts\":[{\"device\":\"cpu (flex)\",\"git\":\"0123456789abcdef\"}]}";
        std::fs::write(path.join("env.json"), env).unwrap();
        let line = |step: u64, nfe: usize, value: f64| {
            format!(
                "{{\"kind\":\"eval\",\"step\":{step},\"images\":9,\"ema\":\"0.9\",\"solver\":\"meanflow\",\"nfe\":{nfe},\"metric\":\"w2\",\"value\":{value}}}\n"
            )
        };
        let log = [line(10, 1, 9.0), line(step, 2, w2[1]), line(step, 1, w2[0])].concat();
        std::fs::write(path.join("metrics.jsonl"), log).unwrap();
        path
    }

    fn three() -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let runs = vec![
            run(at, "a", 0, 90, [0.25, 0.5]),
            run(at, "b", 1, 90, [0.125, 0.75]),
            run(at, "c", 2, 60, [10.0, 0.0]),
        ];
        (folder, runs)
    }

    fn names(runs: &[PathBuf], filters: &[&str], sort: Option<&str>) -> Vec<String> {
        let filters: Vec<String> = filters.iter().map(|text| text.to_string()).collect();
        let listing = Listing::new(runs, &filters, sort).unwrap();
        listing.0.iter().map(|run| run.run.variant.clone()).collect()
    }

    #[test]
    fn filters_compare_numbers_and_texts() {
        let (_folder, runs) = three();
        assert_eq!(names(&runs, &["state=finished"], None), ["a", "b", "c"]);
        assert_eq!(names(&runs, &["step<90"], None), ["c"]);
        assert_eq!(names(&runs, &["w2@1<2"], None), ["a", "b"]);
        assert_eq!(names(&runs, &["w2@2 > 0.25", "seed != 0"], None), ["b"]);
        assert_eq!(
            names(&runs, &["objective=meanflow", "objective.meanflow.share=0.50"], None),
            ["a", "b", "c"]
        );
        let missing = Listing::new(&runs, &["net=dit".to_owned()], None);
        assert!(matches!(missing, Err(ReportError::Sort(key)) if key == "net"));
        assert_eq!(names(&runs, &["seed>9"], None), [""; 0]);
        let twice = Listing::new(&runs, &["seed>=1".to_owned()], None);
        assert!(matches!(twice, Err(ReportError::Filter(_))));
        assert!(
            matches!(Listing::new(&runs, &["w2".to_owned()], None), Err(ReportError::Filter(text)) if text == "w2")
        );
    }

    #[test]
    fn runs_are_sorted_by_scores_as_numbers() {
        let (_folder, runs) = three();
        assert_eq!(names(&runs, &[], Some("w2")), ["b", "a", "c"]);
        assert_eq!(names(&runs, &[], Some("-w2@1")), ["c", "a", "b"]);
        assert_eq!(names(&runs, &[], Some("w2@2")), ["c", "a", "b"]);
        assert!(matches!(Listing::new(&runs, &[], Some("kid")), Err(ReportError::Sort(key)) if key == "kid"));
    }

    #[test]
    fn a_line_tells_the_last_scores() {
        let (_folder, runs) = three();
        let listing = Listing::new(&runs[..1], &[], None).unwrap();
        let text = listing.text(None);
        let line = text.lines().nth(1).unwrap();
        assert!(line.contains("finished  90/90  w2@1 0.250  w2@2 0.500"), "{text}");
        assert!(line.ends_with("cpu (flex)  01234567"), "{text}");
        let json = listing.json();
        assert_eq!(json[0]["scores"].as_array().unwrap().len(), 2);
        assert_eq!((&json[0]["scores"][0]["nfe"], &json[0]["steps"]), (&json!(1), &json!(90)));
    }
}
