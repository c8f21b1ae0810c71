//! The files of CIFAR-100 in an archive.

use crate::Target;
use meanflow_data::{Cifar100Config, DataConfig, Half};

pub(super) const TARGET: Target = Target {
    name: "cifar-archive",
    seeds: &["fuzz/corpus/cifar-archive"],
    together: false,
    cost: 1,
    read: |path| {
        super::read_all(DataConfig::new(Cifar100Config { split: Half::Test, ..Cifar100Config::new(path) }))
    },
};
