//! Pickles of PyTorch before 1.6.

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "torch-legacy",
    seeds: &["fuzz/corpus/torch-legacy"],
    together: false,
    cost: 1,
    read: super::read_tensors,
};
