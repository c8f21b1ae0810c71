//! Data that is not there.

use std::path::Path;

use crate::error::DataError;

/// The error of a file or folder that is not there.
pub(crate) fn absent(path: &Path) -> Option<DataError> {
    path.metadata().err().map(DataError::read(path))
}
