//! Data that is not there, and where it comes from.

use std::path::Path;

use crate::config::DataConfig;
use crate::error::DataError;
use crate::fetch;

/// The error of a file or folder that is not there.
pub(crate) fn absent(path: &Path) -> Option<DataError> {
    path.metadata().err().map(DataError::read(path))
}

/// `error`, which says what is not there, with what helps.
pub(crate) fn with_remedy(error: DataError, config: &DataConfig) -> DataError {
    let remedy = match fetch::published(config.name()) {
        Some(published) => format!("`meanflow data fetch {0}` gets it into datasets/{0}", published.name),
        None => format!("wanted is {}; see docs/data.md", wanted(config)),
    };
    DataError::Absent { source: Box::new(error), remedy }
}

/// The files that a kind of data reads.
fn wanted(config: &DataConfig) -> &'static str {
    match config {
        DataConfig::Cifar10(_) => "cifar-10-binary.tar.gz, or the folder of its .bin files",
        DataConfig::Cifar100(_) => "cifar-100-binary.tar.gz, or the folder of its .bin files",
        DataConfig::ImageFolder(_) => "a folder of PNG or JPEG pictures, with a folder for each class",
        DataConfig::Hdf5(_) => "an HDF5 file, or a folder of *.h5 or *.hdf5 files",
        DataConfig::Idx(_) => "an IDX file, raw or gzipped",
        DataConfig::Points(_) => "a text file with a point a line",
        _ => "the file or folder that the settings name",
    }
}
