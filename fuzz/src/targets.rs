//! The readers, a file each.

mod cifar;
mod cifar_archive;
mod flax;
mod hdf5;
mod hdf5_floats;
mod idx;
mod jpeg;
mod npy;
mod npz;
mod png;
mod points;
mod report;
mod report_files;
mod safetensors;
mod settings;
mod torch;
mod torch_legacy;

use std::path::Path;

use meanflow_data::{DataConfig, inspect};
use meanflow_weights::{FileError, TensorFile};

use crate::Target;

/// All of them.
pub static TARGETS: [Target; 17] = [
    settings::TARGET,
    idx::TARGET,
    cifar::TARGET,
    cifar_archive::TARGET,
    hdf5::TARGET,
    hdf5_floats::TARGET,
    png::TARGET,
    jpeg::TARGET,
    points::TARGET,
    npy::TARGET,
    npz::TARGET,
    torch::TARGET,
    torch_legacy::TARGET,
    safetensors::TARGET,
    flax::TARGET,
    report::TARGET,
    report_files::TARGET,
];

/// Opens a data set and reads all of it.
fn read_all(config: DataConfig) -> Result<(), String> {
    let said = |error: meanflow_data::DataError| error.to_string();
    config.describe().map_err(said)?;
    inspect(&*config.open().map_err(said)?).map_err(said).map(drop)
}

/// Opens a file of tensors and reads all of it; as every caller of this crate does, with the path before the error.
fn read_tensors(path: &Path) -> Result<(), String> {
    let read = || {
        let mut file = TensorFile::open(path)?;
        file.metadata();
        file.verify()?;
        file.floats().map(drop)
    };
    read().map_err(|error| naming(path, &error))
}

fn naming(path: &Path, error: &FileError) -> String {
    format!("{}: {error}", path.display())
}
