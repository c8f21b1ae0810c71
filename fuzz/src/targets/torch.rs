//! Zip archives of PyTorch.

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "torch",
    seeds: &["crates/weights/tests/data/torch_views.pth", "fuzz/corpus/torch"],
    together: false,
    cost: 1,
    read: super::read_tensors,
};
