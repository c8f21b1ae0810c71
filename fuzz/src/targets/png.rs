//! PNG pictures in a folder, as a data set and as a silhouette.

use crate::Target;
use meanflow_data::{DataConfig, ImageFolderConfig, SilhouetteConfig};
use std::path::Path;

pub(super) const TARGET: Target =
    Target { name: "png", seeds: &["fuzz/corpus/png"], together: false, cost: 1, read };

/// Reads a picture in a folder of its own.
pub(super) fn read(path: &Path) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    for size in [None, Some(8)] {
        let config = ImageFolderConfig { size, labels: false, ..ImageFolderConfig::new(folder) };
        super::read_all(DataConfig::new(config))?;
    }
    match DataConfig::new(SilhouetteConfig { points: 10, ..SilhouetteConfig::new(path) }).open() {
        Ok(_) | Err(meanflow_data::DataError::NoSilhouette { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
