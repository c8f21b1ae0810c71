//! The tables of the page.

use maud::{Markup, html};
use serde_json::Value;

use super::plain;
use crate::{
    diff::differences as differing,
    kept::KeptLine,
    run::Run,
    scores::{Column, Scores},
    style::{count, fixed, short, variant_class},
};

/// A variant's name with its colour beside it.
fn name(runs: &[Run], place: usize) -> Markup {
    html! {
        span class=(format!("swatch {}", variant_class(place))) {}
        (runs[place].label)
    }
}

/// The score table: a row for every variant and EMA, a column for every metric and NFE.
pub fn scores(runs: &[Run], scores: &Scores) -> Markup {
    if scores.rows.is_empty() {
        return html! { p.empty { "No evaluation is logged yet." } };
    }
    let metrics = scores.metrics();
    let of =
        |metric: &str| -> Vec<&Column> { scores.columns.iter().filter(|c| c.metric == metric).collect() };
    let solvers = scores.several_solvers();
    let starts: Vec<bool> = (0..scores.columns.len())
        .map(|i| i == 0 || scores.columns[i].metric != scores.columns[i - 1].metric)
        .collect();
    html! {
        div.scroll { table.scores.sortable {
            thead {
                tr {
                    th rowspan="2" { "Variant" }
                    th rowspan="2" { "EMA" }
                    @if solvers { th rowspan="2" { "Solver" } }
                    @for metric in &metrics {
                        th.group colspan=(of(metric).len()) { (metric) (scores.better(metric).arrow()) }
                    }
                }
                tr { @for (column, start) in scores.columns.iter().zip(&starts) {
                    th.num.start[*start] { (column.nfe) " NFE" }
                } }
            }
            tbody {
                @for row in &scores.rows { tr {
                    td.name { (name(runs, row.run)) }
                    td { (row.ema) }
                    @if solvers { td { (row.solver) } }
                    @for ((cell, column), start) in row.cells.iter().zip(&scores.columns).zip(&starts) {
                        @match cell {
                            Some(cell) if cell.line.failed.is_some() => td.num.none.start[*start] { "failed" },
                            Some(cell) => td.num.start[*start].best[cell.best] { (fixed(cell.line.value, column.decimals)) },
                            None => td.num.none.start[*start] { "–" },
                        }
                    }
                } }
            }
            @if metrics.iter().any(|metric| scores.floor(metric).is_some()) {
                tfoot { tr {
                    td.name { "data against data" }
                    td {}
                    @if solvers { td {} }
                    @for (column, start) in scores.columns.iter().zip(&starts) {
                        td.num.start[*start] {
                            @match scores.floor(&column.metric) {
                                Some(floor) => (fixed(floor, column.decimals)),
                                None => "–",
                            }
                        }
                    }
                } }
            }
        } }
        p.caption {
            b { "Table 1. " }
            "Last score of every variant; the best of each column is marked where all are against the same real data. ↓: lower is better, ↑: higher. "
            @for metric in &metrics { (basis(scores, metric)) " " }
        }
    }
}

/// How many samples a metric was computed from, and against what.
fn basis(scores: &Scores, metric: &str) -> Markup {
    let mut facts: Vec<String> = scores
        .of_metric(metric)
        .filter(|line| line.failed.is_none())
        .map(|line| {
            let n = line.n.map_or_else(|| "n not logged".to_owned(), |n| format!("n = {}", count(n)));
            let reference = line.reference.as_ref().map(|reference| format!(" against {reference}"));
            format!("{n}{}", reference.unwrap_or_default())
        })
        .collect();
    facts.sort();
    facts.dedup();
    html! { code { (metric) } ": " (facts.join("; ")) "." }
}

/// What `meanflow eval` found, a row for every score; the best is marked among those that were scored alike.
pub fn kept(runs: &[Run]) -> Markup {
    let mut rows: Vec<(usize, &KeptLine)> = runs
        .iter()
        .enumerate()
        .flat_map(|(place, run)| run.kept.iter().map(move |line| (place, line)))
        .collect();
    // Those that compare stand together, in the order in which the first of them was scored.
    let all: Vec<&KeptLine> = rows.iter().map(|(_, line)| *line).collect();
    rows.sort_by_key(|(_, line)| all.iter().position(|other| other.compares_with(line)));
    let best = |line: &KeptLine| {
        let alike: Vec<&&KeptLine> = all.iter().filter(|other| other.compares_with(line)).collect();
        alike.len() > 1 && line.better.best(alike.iter().map(|line| line.value)) == Some(line.value)
    };
    let number = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), count);
    html! {
        @if !rows.is_empty() { section {
            h2 { "Scored afterwards" }
            div.scroll { table.kept {
                thead { tr {
                    th { "Metric" } th { "Variant" } th.num { "NFE" } th.num { "Value" } th.num { "Interval" }
                    th.num { "Real data" } th.num { "n" } th { "Against" } th { "How" }
                } }
                tbody { @for (place, line) in &rows { tr {
                    td { code { (line.metric) } (line.better.arrow()) }
                    td.name { (name(runs, *place)) }
                    td.num { (number(line.nfe)) }
                    td.num.best[best(line)] { (short(line.value)) }
                    td.num { (line.interval.map_or_else(|| "–".to_owned(), |[low, high]| format!("{} to {}", short(low), short(high)))) }
                    td.num { (line.floor.map_or_else(|| "–".to_owned(), short)) }
                    td.num { (number(line.n)) }
                    td { @if let Some(digest) = &line.reference {
                        code { (digest.get(..8).unwrap_or(digest)) } @if let Some(n) = line.reference_n { ", " (count(n)) }
                    } @else { "–" } }
                    td.how {
                        "step " (number(line.step)) ", EMA " (line.ema) ", " (line.solver)
                        @for setting in &line.settings { ", " (setting) }
                        ", " (line.date.split('T').next().unwrap_or_default())
                    }
                } } }
            } }
            p.caption {
                b { "Scored afterwards. " }
                "What " code { "meanflow eval" } " found of these runs, kept in their folders. Real data: the same score of real samples. Against: the \
                 beginning of the sha256 of the real data, and how many of it. A best is marked only among scores of one reference, one n and one \
                 choice of settings."
            }
        } }
    }
}

/// State, length and speed of every run.
pub fn runs(runs: &[Run]) -> Markup {
    let number = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), count);
    html! {
        div.scroll { table {
            thead { tr {
                th { "Variant" } th { "State" } th.num { "Parameters" } th.num { "Steps" } th.num { "Images seen" } th.num { "FLOP" }
                th.num { "Training time" } th.num { "Images/s" } th { "Folder" }
            } }
            tbody { @for (place, run) in runs.iter().enumerate() {
                @let last = run.train.last();
                @let secs = last.and_then(|line| line.secs).filter(|secs| *secs > 0.0);
                @let step = run.status["step"].as_u64().or(last.map(|line| line.step as u64));
                @let images = run.status["images"].as_u64().or(last.map(|line| line.images as u64));
                tr {
                    td.name { (name(runs, place)) }
                    td { (run.status["state"].as_str().unwrap_or("unknown")) }
                    td.num { (number(run.parameters())) }
                    td.num { (number(step)) }
                    td.num { (number(images)) }
                    td.num { (run.flops_an_image().zip(images).map_or_else(|| "–".to_owned(), |(flops, images)| short(flops * images as f64))) }
                    td.num { (secs.map_or_else(|| "–".to_owned(), duration)) }
                    td.num { (secs.zip(last).map_or_else(|| "–".to_owned(), |(s, line)| short(line.images / s))) }
                    td { code { (run.dir.display().to_string()) } }
                }
            } }
        } }
        p.caption { b { "Table 2. " } "The runs. Training time is without evaluation, over all starts of a run. FLOP counts products of matrices and convolutions, a multiplication with its addition as two, backward as twice forward." }
    }
}

fn duration(secs: f64) -> String {
    let whole = secs.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) => format!("{} s", short(secs)),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// Keys whose values are not the same everywhere.
pub fn differences(runs: &[Run]) -> Markup {
    let differences = differing(runs);
    if runs.len() < 2 {
        return html! { p.empty { "One run only: nothing to compare." } };
    }
    if differences.is_empty() {
        return html! { p.empty { "The configurations do not differ." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th { "Key" }
                @for place in 0..runs.len() { th { (name(runs, place)) } }
            } }
            tbody { @for difference in &differences { tr {
                td { code { (difference.key) } }
                @for value in &difference.values {
                    @match value {
                        Some(value) => td { code { (value) } },
                        None => td.none { "–" },
                    }
                }
            } } }
        } }
        p.caption { b { "Table 3. " } "Keys of the resolved configurations that differ. All other keys are equal." }
    }
}

/// Keys of `env.json` in reading order, with what the page calls them.
const FACTS: [(&str, &str); 16] = [
    ("command", "Command"),
    ("config_file", "Experiment file"),
    ("set", "Overrides"),
    ("version", "Version"),
    ("binary", "Program"),
    ("git", "Git commit"),
    ("diff", "Uncommitted changes"),
    ("init", "Initial weights"),
    ("features", "Features"),
    ("device", "Device"),
    ("threads", "Threads"),
    ("cpu", "Processor"),
    ("os", "System"),
    ("seed", "Seed"),
    ("lock_sha256", "Cargo.lock, sha256"),
    ("started", "Started"),
];

/// What the runs ran on and how they were started; one value where it is the same for all.
pub fn environment(runs: &[Run]) -> Markup {
    let mut rows: Vec<(String, Vec<String>)> = FACTS
        .iter()
        .map(|(key, title)| ((*title).to_owned(), facts(runs, |start| fact(start, key))))
        .collect();
    for key in ["name", "items", "sha256"] {
        let title = if key == "name" { "Data".to_owned() } else { format!("Data, {key}") };
        rows.push((title, facts(runs, |start| plain(&start["data"][key]))));
    }
    let known = |key: &str| {
        let shown = ["data", "dirty", "config_text", "changed"].contains(&key);
        shown || FACTS.iter().any(|(k, _)| *k == key)
    };
    let mut others: Vec<&String> = runs
        .iter()
        .flat_map(|run| &run.starts)
        .filter_map(Value::as_object)
        .flat_map(|start| start.keys())
        .filter(|key| !known(key))
        .collect();
    others.sort();
    others.dedup();
    rows.extend(others.into_iter().map(|key| (key.clone(), facts(runs, |start| fact(start, key)))));
    rows.push(("Changed on the way".to_owned(), runs.iter().map(|run| changes(&run.starts)).collect()));
    rows.retain(|(_, values)| values.iter().any(|value| !value.is_empty() && value != "—"));
    if rows.is_empty() {
        return html! { p.empty { "No environment is recorded." } };
    }
    html! {
        div.scroll { table.environment { tbody { @for (title, values) in &rows { tr {
            th { (title) }
            td {
                @if values.windows(2).all(|pair| pair[0] == pair[1]) { code { (values[0]) } }
                @else {
                    @for (place, value) in values.iter().enumerate() {
                        div { span.of { (name(runs, place)) } " " code { (value) } }
                    }
                }
            }
        } } } } }
    }
}

/// What changed in the configuration while a run went on: `from step 900: eval.samples 2000 → 500`.
fn changes(starts: &[Value]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("absent").to_owned();
    let change = |start: &Value| {
        let keys = start["changed"].as_object()?.iter();
        let keys: Vec<String> =
            keys.map(|(key, values)| format!("{key} {} → {}", text(&values[0]), text(&values[1]))).collect();
        Some(format!("from step {}: {}", plain(&start["step"]), keys.join(", ")))
    };
    starts.iter().filter_map(change).collect::<Vec<_>>().join("; ")
}

/// Values of a fact that are shown at most.
const SHOWN: usize = 3;

/// A fact of each run: what changed from start to start, in order.
fn facts(runs: &[Run], fact: impl Fn(&Value) -> String) -> Vec<String> {
    let of_run = |run: &Run| {
        let known = |value: &String| !value.is_empty() && value != "—";
        let mut values: Vec<String> = run.starts.iter().map(&fact).filter(known).collect();
        values.dedup();
        let left = values.len().saturating_sub(SHOWN);
        if left > 0 {
            values.splice(1..=left, [format!("{left} others")]);
        }
        values.join(" → ")
    };
    runs.iter().map(of_run).collect()
}

fn fact(start: &Value, key: &str) -> String {
    let value = &start[key];
    match key {
        "git" if start["dirty"] == Value::Bool(true) => format!("{}, with uncommitted changes", plain(value)),
        // Of older versions, which kept the changes in `env.json`.
        "diff" if value.is_string() => format!("{} bytes, in env.json", value.as_str().unwrap_or("").len()),
        "diff" if value.is_object() => {
            let cut = if value["cut"] == Value::Bool(true) { ", cut off there" } else { "" };
            format!("{}, {} bytes{cut}", plain(&value["file"]), plain(&value["bytes"]))
        }
        "binary" if value.is_object() => {
            let sha = value["sha256"].as_str().map_or_else(String::new, |sha| format!(", sha256 {sha}"));
            format!("{}, of {}{sha}", plain(&value["path"]), plain(&value["modified"]))
        }
        "init" if value.is_object() => {
            format!("{}, sha256 {}", plain(&value["path"]), plain(&value["sha256"]))
        }
        _ => plain(value),
    }
}
