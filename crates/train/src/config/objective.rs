//! `[objective.*]`: what the network is trained to do. Each kind reads its own keys.

use meanflow_core::objective::{About, Group, Labels, Objectives};
use meanflow_data::Description;
use meanflow_nets::Networks;
use meanflow_settings::{Problem, Reader};

/// Reads the table; whether the data has classes and the network takes guidance decides some defaults.
pub(super) fn read<O: Objectives, N: Networks>(
    root: &mut Reader,
    data: Option<&Description>,
    net: Option<&N>,
) -> Option<O> {
    let labels = match data {
        None => Labels::Unknown,
        Some(Description { classes: Some(_), .. }) => Labels::Known,
        Some(Description { classes: None, .. }) => Labels::Missing,
    };
    let about = About { labels, guided: net.map(N::guided) };
    let names: Vec<&str> = O::NAMES.iter().map(|(name, _)| *name).collect();
    root.kind("objective", &names, None, |kind, r| O::read(kind, r, &about))
}

/// A problem if the batch is not made of whole groups.
pub(super) fn check_groups<O: Objectives>(root: &mut Reader, objective: &O, batch: usize) {
    let (Group::Rows(group) | Group::Batch(group)) = objective.facts().group();
    if group > 0 && !batch.is_multiple_of(group) {
        let message = format!("`train.batch`: {batch} rows are not whole groups of {group}");
        let help = format!("make `train.batch` a multiple of `objective.{}.group`", objective.name());
        root.problem(Problem::new(root.within(&["train", "batch"]), message).help(help));
    }
}
