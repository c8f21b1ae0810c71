//! Safetensors files, with and without a checksum.

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "safetensors",
    seeds: &["fuzz/corpus/safetensors"],
    together: false,
    cost: 1,
    read: super::read_tensors,
};
