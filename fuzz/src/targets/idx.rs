//! Images and labels of the MNIST family, raw and gzipped.

use crate::Target;
use meanflow_data::{DataConfig, IdxConfig};

pub(super) const TARGET: Target = Target {
    name: "idx",
    seeds: &["fuzz/corpus/idx"],
    together: true,
    cost: 1,
    read: |folder| {
        let labels = Some(folder.join("labels.gz"));
        super::read_all(DataConfig::new(IdxConfig { labels, ..IdxConfig::new(folder.join("images")) }))
    },
};
