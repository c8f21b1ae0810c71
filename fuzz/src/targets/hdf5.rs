//! Pixels, latents and moments in HDF5.

use crate::Target;
use meanflow_data::{DataConfig, Hdf5Config};

pub(super) const TARGET: Target = Target {
    name: "hdf5",
    seeds: &[
        "crates/data/tests/data/channels_last.h5",
        "crates/data/tests/data/latents_newest.h5",
        "crates/data/tests/data/moments_big_endian.h5",
        "crates/data/tests/data/pixels_gzip.h5",
        "fuzz/corpus/hdf5",
    ],
    together: false,
    cost: 1,
    read: |path| super::read_all(DataConfig::new(Hdf5Config::new(path))),
};
