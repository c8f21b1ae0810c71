//! Arrays of NumPy, whole and in parts.

use crate::Target;
use meanflow_weights::{open_npy, read_npy};

pub(super) const TARGET: Target = Target {
    name: "npy",
    seeds: &["fuzz/corpus/npy"],
    together: false,
    cost: 1,
    read: |path| {
        let read = || {
            if let Some(array) = open_npy(path)?
                && let Some(&rows) = array.shape().first()
            {
                array.rows(0, rows)?;
            }
            read_npy(path).map(drop)
        };
        read().map_err(|error| super::naming(path, &error))
    },
};
