//! `[objective.*]`: what the network is trained to do. Each kind reads its own keys.

use meanflow_core::objective::{About, Labels, Objectives};
use meanflow_data::Description;
use meanflow_nets::Networks;
use meanflow_settings::Reader;

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
