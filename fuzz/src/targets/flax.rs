//! Checkpoints of Flax in msgpack.

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "flax",
    seeds: &[
        "crates/weights/tests/data/flax_arrays.msgpack",
        "crates/weights/tests/data/flax_chunked.msgpack",
    ],
    together: false,
    cost: 1,
    read: super::read_tensors,
};
