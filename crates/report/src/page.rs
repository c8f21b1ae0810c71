//! The page: one HTML file with everything inside it.

mod published;
mod seeds;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::{
    Drawn,
    copies::{Copies, FORMATS},
    groups::Group,
    header,
    headline::headlines,
    run::Run,
    scores::Scores,
    style::{count, short, variant_class},
};

/// Renders the page.
pub fn render(runs: &[Run], groups: &[Group], scores: &Scores, figures: &[Drawn]) -> Markup {
    let title = experiments(runs);
    let figure = |name: &str| {
        let at = figures.iter().position(|drawn| drawn.figure.name == name)?;
        Some(show(&figures[at], at + 1))
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · MeanFlow report" }
                style { (PreEscaped(include_str!("../assets/page.css"))) }
            }
            body {
                header {
                    p.kicker { "Experiment report" }
                    h1 { (title) }
                    (preamble(runs))
                }
                main {
                    (notes(runs))
                    (headline(runs, groups, scores))
                    @for name in ["samples-first", "densities-first"] { @if let Some(it) = figure(name) { (it) } }
                    section {
                        h2 { "Scores" }
                        @if !groups.is_empty() {
                            (seeds::seeds(runs, groups, scores))
                            @for name in ["seeds-nfe", "seeds-images"] { @if let Some(it) = figure(name) { (it) } }
                            h3 { "Every run" }
                        }
                        (tables::scores(runs, scores))
                        (to_copy(runs, groups, scores))
                        (published::published(runs, groups, scores))
                        @if let Some(it) = figure("score-nfe") { (it) }
                    }
                    (tables::kept(runs))
                    @for name in ["samples", "nearest", "densities", "arrows", "trajectories", "score-images", "cost", "loss"] {
                        @if let Some(it) = figure(name) { (it) }
                    }
                    section {
                        h2 { "Runs" }
                        (tables::runs(runs))
                    }
                    section {
                        h2 { "Configuration" }
                        (tables::differences(runs))
                        (configurations(runs))
                    }
                    section {
                        h2 { "Environment and commands" }
                        (tables::environment(runs))
                    }
                    (metrics(scores))
                }
                script { (PreEscaped(include_str!("../assets/sort.js"))) }
                footer { "Written by meanflow " (env!("CARGO_PKG_VERSION")) ". This page makes no network request." }
            }
        }
    }
}

fn experiments(runs: &[Run]) -> String {
    let mut names: Vec<&str> = runs.iter().map(|run| run.experiment.as_str()).collect();
    names.dedup();
    names.join(", ")
}

/// The header comment of the experiment file, as an abstract.
fn preamble(runs: &[Run]) -> Markup {
    let entries = runs.iter().find_map(Run::config_as_given).map(header::entries).unwrap_or_default();
    html! {
        @if !entries.is_empty() {
            dl.preamble {
                @for (name, text) in &entries {
                    dt { (name) }
                    dd { @if name == "Run" { code { (text) } } @else { (text) } }
                }
            }
        }
    }
}

fn notes(runs: &[Run]) -> Markup {
    html! {
        @if runs.iter().any(|run| !run.notes.is_empty()) {
            aside.notes {
                strong { "This report is not complete." }
                ul {
                    @for run in runs {
                        @for note in &run.notes { li { b { (run.label) } ": " (note) } }
                    }
                }
            }
        }
    }
}

fn headline(runs: &[Run], groups: &[Group], scores: &Scores) -> Markup {
    html! {
        div.headlines {
            @for line in headlines(runs, groups, scores) {
                div.headline {
                    p.what { (line.metric) " at " (line.nfe) " NFE" @if !groups.is_empty() { ", mean over seeds" } }
                    p.value {
                        (short(line.value))
                        " "
                        span class=(format!("who {}", variant_class(line.place))) { (line.label) }
                    }
                    ul { @for other in &line.against { li { (other) } } }
                }
            }
        }
    }
}

/// The table of scores in formats of other programs, folded away.
fn to_copy(runs: &[Run], groups: &[Group], scores: &Scores) -> Markup {
    let Some(copies) = Copies::of(runs, groups, scores) else { return html! {} };
    html! {
        @for (ending, name, write) in FORMATS {
            details {
                summary { "As " (name) ", to copy; also in " code { "scores." (ending) } }
                pre { (write(&copies)) }
            }
        }
    }
}

fn show(drawn: &Drawn, number: usize) -> Markup {
    let name = drawn.figure.name;
    html! {
        figure id=(name) {
            h2 { (drawn.figure.title) }
            div.drawing role="img" aria-label=(drawn.figure.title) { (PreEscaped(&drawn.svg)) }
            figcaption {
                b { "Figure " (number) ". " } (drawn.figure.caption) " "
                span.files { a href=(format!("{name}.svg")) { "SVG" } " " a href=(format!("{name}.png")) { "PNG" } }
            }
        }
    }
}

/// Everything the variants ran with, folded away.
fn configurations(runs: &[Run]) -> Markup {
    let given = runs.iter().find_map(Run::config_as_given);
    html! {
        @if let Some(text) = given {
            details { summary { "The experiment file as given" } pre { (text) } }
        }
        @for run in runs {
            @if !run.config_text.is_empty() {
                details { summary { "Resolved configuration of " b { (run.label) } } pre { (run.config_text) } }
            }
        }
    }
}

fn metrics(scores: &Scores) -> Markup {
    html! {
        @if !scores.columns.is_empty() {
            section {
                h2 { "What the metrics are" }
                dl.glossary {
                    @for metric in scores.metrics() {
                        dt { code { (metric) } }
                        dd {
                            (sentence(scores.about(&metric).unwrap_or("the log does not say what it is")))
                            " " (sentence(scores.better(&metric).words()))
                        }
                    }
                    dt { "NFE" }
                    dd { "Number of network evaluations that make one sample. A two-stage step of a solver counts twice." }
                    dt { "data against data" }
                    dd {
                        "The same metric between two sets of real data at the same n: what a perfect model would score. "
                        "No model is expected below it, sampling noise apart."
                    }
                }
            }
        }
    }
}

/// Words as a sentence, or sentences.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let rest = letters.as_str().trim_end_matches('.');
    format!("{first}{rest}.")
}

/// A JSON value as plain text: strings bare, lists of strings as words of a command line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), count),
        Value::Array(list) => list.iter().map(|item| quoted(&plain(item))).collect::<Vec<_>>().join(" "),
        Value::Null => "—".to_owned(),
        other => other.to_string(),
    }
}

/// A word as one would type it in a shell.
fn quoted(word: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
