//! Statistics in HDF5: arrays of floats and texts.

use crate::Target;
use meanflow_data::{array_names, read_floats, read_text};

pub(super) const TARGET: Target = Target {
    name: "hdf5-floats",
    seeds: &["fuzz/corpus/hdf5-statistics"],
    together: false,
    cost: 1,
    read: |path| {
        let said = |error: meanflow_data::DataError| error.to_string();
        for name in array_names(path).map_err(said)? {
            read_floats(path, &name).map_err(said)?;
        }
        read_text(path, "space").map(drop).map_err(said)
    },
};
