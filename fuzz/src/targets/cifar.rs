//! A folder with the files of CIFAR-100.

use crate::Target;
use meanflow_data::{Cifar100Config, DataConfig, Half};

pub(super) const TARGET: Target = Target {
    name: "cifar",
    seeds: &["fuzz/corpus/cifar"],
    together: true,
    cost: 1,
    read: |folder| {
        for split in [Half::Train, Half::Test] {
            super::read_all(DataConfig::new(Cifar100Config { split, ..Cifar100Config::new(folder) }))?;
        }
        Ok(())
    },
};
