//! Writing any dataset as HDF5 files that [`[data.hdf5]`](crate::Hdf5Config) reads as one.

use std::fs;
use std::path::{Path, PathBuf};

use meanflow_files::Scratch;
use rayon::prelude::*;

use crate::dataset::{Dataset, Element, Field};
use crate::error::DataError;
use crate::grid::byte;
use crate::hdf5::{self, Column, Packing, Values};
use crate::order;

/// Attribute with the number of classes.
pub(crate) const CLASSES: &str = "classes";
/// Attribute with the number of rows in all files of the set.
pub(crate) const ROWS: &str = "rows_in_all_files";

/// Samples read at a time: few enough that a set in blocks stays within those it holds.
const TOGETHER: usize = 256;

/// How to write the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Rows that are compressed together, and so read together.
    pub chunk_rows: usize,
    /// Level of gzip, 0 to 9; 0 does not compress.
    pub gzip: u32,
    /// Largest size of a file before compression; about three times as much memory is needed.
    pub shard_bytes: usize,
    /// Seed of the order in which samples are written; `None` keeps that of the dataset. Training mixes only
    /// what is in memory at a time, so that a set sorted by class should not stay so.
    pub shuffle: Option<u64>,
}

impl Default for Conversion {
    fn default() -> Self {
        Self { chunk_rows: 64, gzip: 4, shard_bytes: 128 << 20, shuffle: Some(0) }
    }
}

/// Writes `<name>-00000-of-00007.h5` and so on into `folder`, making it if needed, and returns their paths.
///
/// All files are written in a temporary folder inside `folder` and then renamed. Samples are as they are
/// stored: not mirrored, not augmented, latents with mean and standard deviation. What was set aside is not
/// written. `progress` is told how many samples are done.
///
/// # Errors
/// [`DataError::Setting`] for a size of 0 or a level above 9, [`DataError::NotEmpty`] if there are HDF5 files in
/// `folder`, [`DataError::NoBatches`] for an empty dataset, and errors of reading and writing.
pub fn convert(
    dataset: &dyn Dataset,
    folder: &Path,
    settings: Conversion,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<PathBuf>, DataError> {
    let Conversion { chunk_rows, gzip, shard_bytes, shuffle } = settings;
    DataError::require(chunk_rows > 0, "chunk", chunk_rows, "must be at least 1")?;
    DataError::require(gzip <= 9, "gzip", gzip, "must be at most 9")?;
    let rows = dataset.len();
    if rows == 0 {
        return Err(DataError::NoBatches { batch: 1, items: 0 });
    }
    let fields = dataset.fields();
    let row_bytes: usize = fields.iter().map(bytes_of).sum();
    // Whole chunks, so that only the last chunk of the set can be short.
    let shard_rows = (shard_bytes / (row_bytes * chunk_rows)).max(1) * chunk_rows;
    let shards = rows.div_ceil(shard_rows);

    fs::create_dir_all(folder).map_err(DataError::write(folder))?;
    if let Some(found) = hdf5_files(folder)?.first().and_then(|path| path.file_name()) {
        let found = found.to_string_lossy().into_owned();
        return Err(DataError::NotEmpty { folder: folder.to_path_buf(), found });
    }
    let scratch = Scratch::new(folder, "convert").map_err(DataError::write(folder))?;
    let order = match shuffle {
        Some(seed) => order::of_epoch(dataset, seed, 0),
        None => (0..rows).collect(),
    };
    let mut attributes = vec![(ROWS, rows as i64)];
    attributes.extend(dataset.classes().map(|classes| (CLASSES, classes as i64)));
    let mut names = Vec::new();
    for (shard, indices) in order.chunks(shard_rows).enumerate() {
        let mut columns: Vec<Column> = fields.iter().map(|field| column(field, indices.len())).collect();
        for indices in indices.chunks(TOGETHER) {
            for (field, column) in columns.iter_mut().enumerate() {
                append(dataset, field, indices, column)?;
            }
            progress(indices.len());
        }
        let labels = dataset.classes().map(|_| {
            let label =
                |&index: &usize| dataset.label(index).expect("a dataset with classes labels every sample");
            indices.iter().map(|index| label(index) as i64).collect()
        });
        let name = format!("{}-{shard:05}-of-{shards:05}.h5", dataset.name());
        hdf5::write(&scratch.path().join(&name), columns, labels, &attributes, Packing { chunk_rows, gzip })?;
        names.push(name);
    }
    for name in &names {
        let to = folder.join(name);
        fs::rename(scratch.path().join(name), &to).map_err(DataError::write(&to))?;
    }
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

fn bytes_of(field: &Field) -> usize {
    let values: usize = field.shape.iter().product();
    match field.element {
        Element::U8 => values,
        Element::F32 => 4 * values,
    }
}

fn column(field: &Field, rows: usize) -> Column<'static> {
    let capacity = rows * field.shape.iter().product::<usize>();
    let values = match field.element {
        Element::U8 => Values::U8(Vec::with_capacity(capacity)),
        Element::F32 => Values::F32(Vec::with_capacity(capacity)),
    };
    Column { name: field.name, values, shape: field.shape }
}

fn append(
    dataset: &dyn Dataset,
    field: usize,
    indices: &[usize],
    column: &mut Column,
) -> Result<(), DataError> {
    let size: usize = column.shape.iter().product();
    let mut rows = vec![0.0; indices.len() * size];
    let read: Vec<Result<(), DataError>> = rows
        .par_chunks_exact_mut(size)
        .zip(indices)
        .map(|(row, &index)| dataset.read_field(field, index, row))
        .collect();
    read.into_iter().collect::<Result<(), _>>()?;
    match &mut column.values {
        Values::U8(values) => values.extend(rows.into_iter().map(byte)),
        Values::F32(values) => values.extend(rows),
    }
    Ok(())
}

/// The HDF5 files in a folder, in the order of names.
pub(crate) fn hdf5_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(DataError::read(folder))? {
        let path = entry.map_err(DataError::read(folder))?.path();
        if path.extension().is_some_and(|ending| ["h5", "hdf5"].iter().any(|known| ending == *known)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
