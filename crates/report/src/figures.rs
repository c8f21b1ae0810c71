//! The figures of a report: each a canvas with a name and a caption.

mod cost;
mod curves;
mod grids;
mod points;
mod scores;
mod seeds;

use crate::{
    canvas::Canvas,
    run::Run,
    style::{Color, variant_color, variant_dashed},
};

pub use cost::score_at_cost;
pub use curves::loss_curves;
pub use grids::{all_grids, first_grids, nearest};
pub use points::{all_densities, arrows, first_densities, trajectories};
pub use scores::{score_against_nfe, score_curves};
pub use seeds::{seeds_against_nfe, seeds_over_images};

/// A figure with what the page says of it.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of its files, without ending.
    pub name: &'static str,
    /// Heading on the page.
    pub title: &'static str,
    /// Caption in full sentences.
    pub caption: String,
    /// The drawing.
    pub canvas: Canvas,
}

/// Labels and colours of the runs, for legends.
fn entries(runs: &[Run]) -> Vec<(String, Color, bool)> {
    runs.iter()
        .enumerate()
        .map(|(place, run)| (run.label.clone(), variant_color(place), variant_dashed(place)))
        .collect()
}

/// Every NFE that any of the lists has, rising.
fn union(lists: impl IntoIterator<Item = Vec<u64>>) -> Vec<u64> {
    let mut all: Vec<u64> = lists.into_iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A half-sentence that names the weights which the figures show.
fn weights(runs: &[Run]) -> String {
    let mut labels: Vec<&str> = runs.iter().filter_map(Run::main_ema).collect();
    labels.sort_unstable();
    labels.dedup();
    match labels.as_slice() {
        [] => String::new(),
        ["none"] => "Raw weights, no averaging.".to_owned(),
        labels => format!("Weights: exponential moving average {}.", labels.join(", ")),
    }
}
