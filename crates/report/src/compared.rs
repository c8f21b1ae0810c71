//! Two runs side by side: `meanflow diff`.

use crate::{
    ReportError,
    diff::{Difference, differences},
    listing::columns,
    log::EvalLine,
    run::Run,
    scores::Scores,
    style,
};
use serde_json::{Value, json};
use std::path::Path;

/// Two runs: where their configurations and origins differ, and their last scores.
#[derive(Clone, Debug)]
pub struct Compared {
    runs: [Run; 2],
    differences: Vec<Difference>,
    scores: Scores,
}

/// What `env.json` says of a run beside its configuration, by the name that is printed.
const ORIGIN: [(&str, &[&str]); 6] = [
    ("commit", &["git"]),
    ("device", &["device"]),
    ("threads", &["threads"]),
    ("binary", &["binary", "sha256"]),
    ("data", &["data", "sha256"]),
    ("initial weights", &["init", "sha256"]),
];

impl Compared {
    /// Reads both.
    ///
    /// # Errors
    /// [`ReportError::NotARun`].
    pub fn new(a: &Path, b: &Path) -> Result<Self, ReportError> {
        let runs = [Run::read(a)?, Run::read(b)?];
        // The name of the experiment's file and of the variant say where the runs are, which is known.
        let ours =
            |difference: &Difference| difference.key != "name" && !difference.key.starts_with("variant.");
        let differences = differences(&runs).into_iter().filter(ours).collect();
        let scores = Scores::of(&runs);
        Ok(Self { runs, differences, scores })
    }

    /// What of the first start differs.
    fn origins(&self) -> Vec<(&'static str, [String; 2])> {
        let of = |run: &Run, path: &[&str]| {
            let start = run.starts.first().cloned().unwrap_or_default();
            match path.iter().fold(&start, |value, key| &value[*key]) {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }
        };
        let both = ORIGIN.map(|(name, path)| (name, [0, 1].map(|place| of(&self.runs[place], path))));
        both.into_iter().filter(|(_, [a, b])| a != b).collect()
    }

    /// The last score of every average, solver, metric and number of evaluations that either run has.
    fn scores(&self) -> Vec<[Option<&EvalLine>; 2]> {
        let Scores { columns, rows } = &self.scores;
        let mut sorts: Vec<(&str, &str)> = Vec::new();
        for row in rows {
            if !sorts.contains(&(row.ema.as_str(), row.solver.as_str())) {
                sorts.push((&row.ema, &row.solver));
            }
        }
        let line = |run: usize, (ema, solver): (&str, &str), column: usize| {
            let row = rows.iter().find(|row| row.run == run && row.ema == ema && row.solver == solver)?;
            row.cells[column].as_ref().map(|cell| &cell.line)
        };
        let of = |sort| (0..columns.len()).map(move |column| [0, 1].map(|run| line(run, sort, column)));
        sorts.into_iter().flat_map(of).filter(|pair| pair.iter().any(Option::is_some)).collect()
    }

    /// Three tables: keys that differ, where the runs came from, scores. A score of other data, or of another number of samples, is
    /// marked with `≠`: its difference says nothing.
    pub fn text(&self) -> String {
        let names = |what: &str| [what.to_owned(), "first".to_owned(), "second".to_owned()];
        let short = |text: &String| text.chars().take(40).collect::<String>();
        let mut tables = Vec::new();
        let keys = self.differences.iter().map(|Difference { key, values }| {
            let value = |place: usize| values[place].clone().unwrap_or_else(|| "–".to_owned());
            [key.clone(), value(0), value(1)]
        });
        tables.push([names("configuration")].into_iter().chain(keys).collect::<Vec<_>>());
        let origins =
            self.origins().into_iter().map(|(name, [a, b])| [name.to_owned(), short(&a), short(&b)]);
        tables.push([names("origin")].into_iter().chain(origins).collect());
        let scores = self.scores().into_iter().map(|pair| {
            let of = pair.into_iter().flatten().next().expect("one of them has it");
            let value = |line: Option<&EvalLine>| match line {
                Some(line) if line.failed.is_some() => "failed".to_owned(),
                Some(line) => style::short(line.value),
                None => "–".to_owned(),
            };
            let unlike = matches!(pair, [Some(a), Some(b)] if !a.compares_with(b));
            let mark = if unlike { " ≠" } else { "" };
            let name = format!("{}@{} ({}, {}){mark}", of.metric, of.nfe, of.solver, of.ema);
            [name, value(pair[0]), value(pair[1])]
        });
        tables.push([names("score")].into_iter().chain(scores).collect());
        // A table of its names alone has nothing to say.
        let told: Vec<String> =
            tables.iter().filter(|rows| rows.len() > 1).map(|rows| columns(rows)).collect();
        match &told[..] {
            [] => "no difference\n".to_owned(),
            _ => told.join("\n"),
        }
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let number = |line: Option<&EvalLine>| {
            line.filter(|line| line.value.is_finite()).map_or(Value::Null, |line| json!(line.value))
        };
        let keys = |Difference { key, values }: &Difference| json!({"key": key, "values": values});
        let scores = self.scores().into_iter().map(|pair| {
            let of = pair.into_iter().flatten().next().expect("one of them has it");
            let comparable = matches!(pair, [Some(a), Some(b)] if a.compares_with(b));
            json!({
                "metric": of.metric, "nfe": of.nfe, "solver": of.solver, "ema": of.ema,
                "values": pair.map(number), "steps": pair.map(|line| line.map(|line| line.step)), "comparable": comparable,
            })
        });
        json!({
            "runs": self.runs.each_ref().map(|run| &run.dir),
            "configuration": self.differences.iter().map(keys).collect::<Vec<_>>(),
            "origin": self.origins().into_iter().map(|(name, values)| json!({"what": name, "values": values})).collect::<Vec<_>>(),
            "scores": scores.collect::<Vec<_>>(),
        })
    }
}
