//! `[objective.*]`: what the network is trained to do. Each kind reads its own keys.

use meanflow_core::objective::{About, Labels, ObjectiveConfig, Objectives};
use meanflow_data::Description;
use meanflow_nets::NetConfig;
use meanflow_settings::Reader;

/// Reads the table; whether the data has classes and the network takes guidance decides some defaults.
pub(super) fn read(
    root: &mut Reader,
    data: Option<&Description>,
    net: Option<&NetConfig>,
) -> Option<ObjectiveConfig> {
    let labels = match data {
        None => Labels::Unknown,
        Some(Description { classes: Some(_), .. }) => Labels::Known,
        Some(Description { classes: None, .. }) => Labels::Missing,
    };
    let about = About { labels, guided: net.map(NetConfig::guided) };
    let names: Vec<&str> = ObjectiveConfig::NAMES.iter().map(|(name, _)| *name).collect();
    root.kind("objective", &names, None, |kind, r| ObjectiveConfig::read(kind, r, &about))
}
