//! Points in text files.

use crate::Target;
use meanflow_data::{DataConfig, PointsConfig};

pub(super) const TARGET: Target = Target {
    name: "points",
    seeds: &["fuzz/corpus/points"],
    together: false,
    cost: 1,
    read: |path| super::read_all(DataConfig::new(PointsConfig { held_out: 0.0, ..PointsConfig::new(path) })),
};
