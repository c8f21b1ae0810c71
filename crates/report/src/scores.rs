//! The score table: the last value of every metric, and which is best.

use serde_json::{Value, json};

use crate::{
    log::{Better, EvalLine},
    run::Run,
    style,
};

/// A column of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name of the metric.
    pub metric: String,
    /// Evaluations of the network per sample.
    pub nfe: u64,
    /// Digits after the point, the same for the whole metric.
    pub decimals: usize,
}

/// A cell of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The line of the log.
    pub line: EvalLine,
    /// Best of its column.
    pub best: bool,
}

/// A row of the table: one set of weights of one run, sampled by one solver.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Place of the run in the list of runs.
    pub run: usize,
    /// Label of the EMA.
    pub ema: String,
    /// Name of the solver.
    pub solver: String,
    /// One cell a column, where the run has it.
    pub cells: Vec<Option<Cell>>,
}

/// The score table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Metrics in the order of the logs, each with its NFEs rising.
    pub columns: Vec<Column>,
    /// Runs in the order given.
    pub rows: Vec<Row>,
}

impl Scores {
    /// Collects the last line of every (run, EMA, solver, NFE, metric).
    pub fn of(runs: &[Run]) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        let mut metrics: Vec<&str> = Vec::new();
        for line in runs.iter().flat_map(|run| &run.evals) {
            if !metrics.contains(&line.metric.as_str()) {
                metrics.push(&line.metric);
            }
            if !columns.iter().any(|column| column.metric == line.metric && column.nfe == line.nfe) {
                columns.push(Column { metric: line.metric.clone(), nfe: line.nfe, decimals: 0 });
            }
        }
        let place = |metric: &str| metrics.iter().position(|name| *name == metric);
        columns.sort_by_key(|column| (place(&column.metric), column.nfe));

        let mut rows: Vec<Row> = Vec::new();
        for (index, run) in runs.iter().enumerate() {
            for ema in run.emas() {
                let mut solvers: Vec<&str> = Vec::new();
                for line in run.evals.iter().filter(|line| line.ema == ema) {
                    if !solvers.contains(&line.solver.as_str()) {
                        solvers.push(&line.solver);
                    }
                }
                rows.extend(solvers.iter().map(|solver| {
                    let of_row = || run.evals.iter().filter(|line| line.ema == ema && line.solver == *solver);
                    let last = |column: &Column| {
                        of_row().rfind(|line| line.metric == column.metric && line.nfe == column.nfe)
                    };
                    let cell = |line: &EvalLine| Cell { line: line.clone(), best: false };
                    let cells = columns.iter().map(|column| last(column).map(cell)).collect();
                    Row { run: index, ema: ema.to_owned(), solver: (*solver).to_owned(), cells }
                }));
            }
        }

        for (index, column) in columns.iter().enumerate() {
            let cells = rows.iter().filter_map(|row| row.cells[index].as_ref()).map(|cell| &cell.line);
            let lines: Vec<&EvalLine> = cells.filter(|line| line.failed.is_none()).collect();
            let alike = lines.windows(2).all(|pair| pair[0].compares_with(pair[1]));
            let better = lines.first().map(|line| line.better).unwrap_or_default();
            let best = better.best(lines.iter().map(|line| line.value));
            // With a single value there is nothing to be best of, and numbers of different references are not compared.
            if let Some(best) = best.filter(|_| alike && lines.len() > 1) {
                for cell in rows.iter_mut().filter_map(|row| row.cells[index].as_mut()) {
                    cell.best =
                        style::short(cell.line.value) == style::short(best) && column.nfe == cell.line.nfe;
                }
            }
        }
        let mut scores = Self { columns, rows };
        for metric in scores.metrics() {
            let finest = scores.of_metric(&metric).map(|line| line.value.abs()).fold(f64::INFINITY, f64::min);
            let decimals = style::decimals(finest);
            for column in scores.columns.iter_mut().filter(|column| column.metric == metric) {
                column.decimals = decimals;
            }
        }
        scores
    }

    /// The metrics, in the order of the columns.
    pub fn metrics(&self) -> Vec<String> {
        let mut names: Vec<String> = self.columns.iter().map(|column| column.metric.clone()).collect();
        names.dedup();
        names
    }

    /// All cells of a metric, row by row.
    pub fn of_metric<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a EvalLine> {
        let cells = self.rows.iter().flat_map(|row| row.cells.iter().flatten());
        cells.map(|cell| &cell.line).filter(move |line| line.metric == metric)
    }

    /// Which values of a metric are better.
    pub fn better(&self, metric: &str) -> Better {
        self.of_metric(metric).map(|line| line.better).next().unwrap_or_default()
    }

    /// What a metric is, in sentences.
    pub fn about<'a>(&'a self, metric: &'a str) -> Option<&'a str> {
        self.of_metric(metric).find_map(|line| line.about.as_deref())
    }

    /// Data against data of a metric: the first value that the logs give.
    pub fn floor(&self, metric: &str) -> Option<f64> {
        self.of_metric(metric).find_map(|line| line.floor)
    }

    /// Whether several solvers are in the table, so that their names tell rows apart.
    pub fn several_solvers(&self) -> bool {
        self.rows.iter().any(|row| {
            self.rows
                .iter()
                .any(|other| other.run == row.run && other.ema == row.ema && other.solver != row.solver)
        })
    }

    /// The rows as JSON, for programs.
    pub fn rows_json(&self, runs: &[Run]) -> Value {
        let number = |value: f64| if value.is_finite() { json!(value) } else { Value::Null };
        let rows = self
            .rows
            .iter()
            .map(|row| {
                let run = &runs[row.run];
                let scores: Vec<Value> = row
                    .cells
                    .iter()
                    .flatten()
                    .map(|Cell { line, best }| {
                        let mut score = json!({
                            "metric": line.metric, "nfe": line.nfe, "value": number(line.value), "best": best,
                            "n": line.n, "reference": line.reference, "digest": line.digest, "floor": line.floor.map(number),
                            "step": line.step, "images": line.images,
                        });
                        if line.better != Better::Lower {
                            score["better"] = json!(line.better.words());
                        }
                        if let Some(reason) = &line.failed {
                            score["failed"] = json!(reason);
                        }
                        score
                    })
                    .collect();
                json!({
                    "experiment": run.experiment, "variant": run.variant, "ema": row.ema, "solver": row.solver,
                    "parameters": run.parameters(), "scores": scores,
                })
            });
        rows.collect()
    }
}
