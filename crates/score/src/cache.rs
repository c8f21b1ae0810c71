//! Features and statistics of pictures, kept on disk under a digest of all that they depend on.

use crate::ScoreError;
use meanflow_files::replace_shared;
use meanflow_metrics::{Array, Input, Statistics, StatisticsNames, read_npy};
use ndarray::{Array2, Ix2};
use ndarray_npy::WriteNpyExt;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::PathBuf,
};

/// A folder of results; without one, nothing is kept.
pub(crate) struct Cache(pub Option<PathBuf>);

/// Where the results for some pictures and one network are.
pub(crate) struct Entry(Option<PathBuf>);

impl Cache {
    /// The entry for what these lines say. They must name everything that the features depend on.
    pub fn entry(&self, lines: &[String]) -> Entry {
        let digest = Sha256::digest(format!("features 1\n{}", lines.join("\n")));
        Entry(self.0.as_ref().map(|folder| folder.join(format!("{digest:x}"))))
    }
}

impl Entry {
    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.0.as_ref()?.join(name))
    }

    /// Rows that were stored under this name. A broken file is no reason to fail: the rows are computed anew.
    pub fn rows(&self, name: &str) -> Option<Array2<f32>> {
        let path = self.file(&format!("{name}.npy")).filter(|path| path.is_file())?;
        match read_npy(&path) {
            Ok(Array::F32(rows)) => rows.into_dimensionality::<Ix2>().ok(),
            _ => None,
        }
    }

    /// Statistics that were stored under this name.
    pub fn statistics(&self, name: &str) -> Option<Statistics> {
        let path = self.file(&format!("{name}.npz")).filter(|path| path.is_file())?;
        match Input::open(&path) {
            Ok(Input::Statistics(statistics)) => Some(statistics),
            _ => None,
        }
    }

    /// Stores rows.
    pub fn put_rows(&self, name: &str, rows: &Array2<f32>) -> Result<(), ScoreError> {
        let Some(path) = self.file(&format!("{name}.npy")) else { return Ok(()) };
        fs::create_dir_all(path.parent().expect("made from a folder"))?;
        Ok(replace_shared(&path, |part| {
            let mut file = BufWriter::new(File::create(part)?);
            rows.write_npy(&mut file).map_err(io::Error::other)?;
            file.flush()
        })?)
    }

    /// Stores statistics.
    pub fn put_statistics(&self, name: &str, statistics: &Statistics) -> Result<(), ScoreError> {
        let Some(path) = self.file(&format!("{name}.npz")) else { return Ok(()) };
        fs::create_dir_all(path.parent().expect("made from a folder"))?;
        Ok(statistics.write(&path, StatisticsNames::Plain)?)
    }
}
