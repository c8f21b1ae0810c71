//! From run folders to figures and one self-contained HTML page.
//!
//! Contract: reads the files that `docs/run-folder.md` describes and nothing else, writes into one folder, opens no
//! connection, knows no tensor. A run that is still going, or that has lost files, is reported as far as it goes, and what
//! is missing is noted in the page; only a folder that is no run is refused. The page makes no request: figures and style
//! are inside it.

mod axis;
mod bounds;
mod canvas;
mod chart;
mod compared;
mod copies;
mod diff;
mod error;
mod figures;
mod groups;
mod header;
mod headline;
mod kept;
mod listing;
mod log;
mod page;
mod published;
mod run;
mod samples;
mod scores;
mod style;
mod thin;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use compared::Compared;
pub use error::ReportError;
pub use listing::Listing;

use copies::{Copies, FORMATS};
use figures::Figure;
use groups::Group;
use run::Run;
use scores::Scores;
use serde_json::json;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The page.
    pub index: PathBuf,
    /// The score table.
    pub scores: PathBuf,
    /// The figures, each as `.svg` and `.png`.
    pub figures: Vec<PathBuf>,
    /// What was missing or unreadable, each with the run's name.
    pub notes: Vec<String>,
}

/// A figure with its drawing as SVG, as the page shows it.
struct Drawn {
    figure: Figure,
    svg: String,
}

/// Writes the report of these runs, side by side in this order, into the folder `out`.
///
/// # Errors
/// [`ReportError::NoRuns`], [`ReportError::NotARun`] for a folder that holds no run, and what reading, drawing or writing
/// may say. Runs that are incomplete are no error.
pub fn write(runs: &[PathBuf], out: &Path) -> Result<Summary, ReportError> {
    let (runs, groups, scores) = read(runs)?;
    fs::create_dir_all(out).map_err(ReportError::io(out))?;

    let mut written = Vec::new();
    let mut drawn = Vec::new();
    for figure in all_figures(&runs, &groups, &scores) {
        let svg = figure.canvas.svg().map_err(failed(&figure))?;
        let png = figure.canvas.png().map_err(failed(&figure))?;
        written.push(put(out, &format!("{}.svg", figure.name), svg.as_bytes())?);
        written.push(put(out, &format!("{}.png", figure.name), &png)?);
        drawn.push(Drawn { figure, svg });
    }
    let (rows, seeds) = (scores.rows_json(&runs), groups::json(&runs, &groups, &scores));
    let all = json!({ "lower_is_better": true, "rows": rows, "seeds": seeds });
    let table = format!("{all:#}\n");
    let table = put(out, "scores.json", table.as_bytes())?;
    if let Some(copies) = Copies::of(&runs, &groups, &scores) {
        for (ending, _, write) in FORMATS {
            put(out, &format!("scores.{ending}"), write(&copies).as_bytes())?;
        }
    }
    let page = page::render(&runs, &groups, &scores, &drawn).into_string();
    let index = put(out, "index.html", page.as_bytes())?;
    let notes =
        runs.iter().flat_map(|run| run.notes.iter().map(|note| format!("{}: {note}", run.label))).collect();
    Ok(Summary { index, scores: table, figures: written, notes })
}

/// The page of these runs alone, without files of its figures.
///
/// # Errors
/// Those of [`write`](write()), but for writing.
pub fn page(runs: &[PathBuf]) -> Result<String, ReportError> {
    let (runs, groups, scores) = read(runs)?;
    let draw = |figure: Figure| {
        let svg = figure.canvas.svg().map_err(failed(&figure))?;
        Ok(Drawn { figure, svg })
    };
    let drawn = all_figures(&runs, &groups, &scores).into_iter().map(draw).collect::<Result<Vec<_>, _>>()?;
    Ok(page::render(&runs, &groups, &scores, &drawn).into_string())
}

/// What all of a report is made of.
fn read(runs: &[PathBuf]) -> Result<(Vec<Run>, Vec<Group>, Scores), ReportError> {
    if runs.is_empty() {
        return Err(ReportError::NoRuns);
    }
    let mut runs = runs.iter().map(|dir| Run::read(dir)).collect::<Result<Vec<Run>, _>>()?;
    bounds::bound(&mut runs);
    label(&mut runs);
    let scores = Scores::of(&runs);
    let groups = groups::groups(&runs);
    for run in runs.iter_mut().skip(bounds::DRAWN).filter(|_| groups.is_empty()) {
        run.notes.push(format!("it is in the tables alone: figures show {} runs", bounds::DRAWN));
    }
    Ok((runs, groups, scores))
}

fn failed(figure: &Figure) -> impl Fn(String) -> ReportError {
    let figure = figure.name.to_owned();
    move |reason| ReportError::Draw { figure: figure.clone(), reason }
}

/// Every figure that the runs have something for, in the order of the page.
fn all_figures(runs: &[Run], groups: &[Group], scores: &Scores) -> Vec<Figure> {
    // Of runs that differ in their seed alone, pictures are of the first, and curves of the means.
    let firsts: Vec<Run>;
    let shown = match groups {
        [] => runs,
        groups => {
            firsts = first(groups).iter().map(|group| runs[group.runs[0]].clone()).collect();
            &firsts
        }
    };
    let shown = first(shown);
    let single =
        |figure: fn(&[Run], &Scores) -> Option<Figure>| groups.is_empty().then(|| figure(shown, scores))?;
    let figures = [
        figures::first_grids(shown),
        figures::first_densities(shown),
        figures::seeds_against_nfe(runs, first(groups), scores),
        figures::seeds_over_images(runs, first(groups), scores),
        single(figures::score_against_nfe),
        figures::all_grids(shown),
        figures::nearest(shown),
        figures::all_densities(shown),
        figures::arrows(shown),
        figures::trajectories(shown),
        single(figures::score_curves),
        figures::score_at_cost(if groups.is_empty() { shown } else { runs }, first(groups), scores),
        figures::loss_curves(shown),
    ];
    figures.into_iter().flatten().collect()
}

/// Those that figures show.
fn first<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(bounds::DRAWN)]
}

/// Calls runs by their variant, with the experiment in front where that alone is not unique.
fn label(runs: &mut [Run]) {
    let variants: Vec<String> = runs.iter().map(|run| run.variant.clone()).collect();
    for run in runs {
        if variants.iter().filter(|variant| **variant == run.variant).count() > 1 {
            run.label = format!("{}/{}", run.experiment, run.variant);
        }
    }
}

fn put(out: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ReportError> {
    let path = out.join(name);
    meanflow_files::write(&path, bytes).map_err(ReportError::io(&path))?;
    Ok(path)
}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
