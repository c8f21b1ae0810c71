//! Arrays in HDF5 files, read by rows and written whole. The only place that names the crate behind it.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5_pure::{
    AttrValue, ChunkCacheConfig, ChunkIndex, DType, FileAccessProperties, FileBuilder, Layout,
    MetadataCacheConfig,
};
use meanflow_files::replace_shared;

use crate::error::DataError;

/// Numbers of the filters whose effect on the size is known.
const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const FLETCHER32: u16 = 3;

/// Pixels lie in [−1, 1]; resampling may go a little beyond. Values in [0, 255] do by far.
const MOST_OF_PIXELS: f32 = 2.0;

/// A file open for reading. Nothing of it is in memory but what was asked for and the index of its chunks.
pub(crate) struct File {
    path: PathBuf,
    file: hdf5_pure::File,
}

impl File {
    pub fn open(path: &Path) -> Result<Self, DataError> {
        drop(meanflow_files::open(path).map_err(DataError::read(path))?);
        // Unpacked chunks are kept by the caller, who knows which will be needed again.
        let access = FileAccessProperties::new()
            .with_metadata_cache(MetadataCacheConfig::new(1 << 20))
            .with_chunk_cache(ChunkCacheConfig::disabled().with_index_cache(true));
        let file =
            hdf5_pure::File::open_streaming_with_options(path, access).map_err(|error| match error {
                hdf5_pure::Error::Io(source) => DataError::read(path)(source),
                error => DataError::Hdf5File { path: path.to_path_buf(), source: Box::new(error) },
            })?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Names of the arrays that are in no group.
    pub fn names(&self) -> Result<Vec<String>, DataError> {
        self.file.root().datasets().map_err(|error| self.broken(error))
    }

    /// An integer attribute of the file.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, DataError> {
        let attributes = self.file.root().attrs().map_err(|error| self.broken(error))?;
        Ok(attributes.get(name).and_then(AttrValue::as_i64))
    }

    /// An array by its name, which may be a path through groups; `remedy` goes into the error if there is none.
    pub fn array(&self, name: &str, remedy: &str) -> Result<Array, DataError> {
        let problem = |problem: String| self.problem(name, problem);
        let data = match self.file.dataset(name) {
            Ok(data) => data,
            Err(error) => {
                let mut names = self.names()?;
                names.sort();
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                let held =
                    if names.is_empty() { "nothing outside groups".to_owned() } else { names.join(", ") };
                return Err(problem(format!("{error}; the file holds {held}; {remedy}")));
            }
        };
        let describe =
            || -> Result<_, hdf5_pure::Error> { Ok((data.dtype()?, data.shape()?, data.chunk_shape()?)) };
        let (dtype, shape, chunks) = describe().map_err(|error| problem(error.to_string()))?;
        let kind = match dtype {
            DType::U8 => Numbers::U8,
            DType::F32 => Numbers::F32,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U16 | DType::U32 | DType::U64 => {
                Numbers::Integer
            }
            other => return Err(problem(format!("values of type {other} cannot be used"))),
        };
        if shape.is_empty() || shape.contains(&0) {
            return Err(problem(format!("of shape {shape:?}, it holds no rows")));
        }
        self.check_stored(&data, &shape).map_err(problem)?;
        Ok(Array {
            path: self.path.clone(),
            name: name.to_owned(),
            data,
            kind,
            shape: shape.into_iter().map(|side| side as usize).collect(),
            chunk_rows: chunks.and_then(|chunks| chunks.first().map(|&rows| rows as usize)),
        })
    }

    /// Checks that the file is large enough for the rows that an array declares, and that all are in it: rows that were
    /// never written would read as zeros, and there may be more of them than fit into memory.
    fn check_stored(&self, data: &hdf5_pure::Dataset, shape: &[u64]) -> Result<(), String> {
        let broken = |error: hdf5_pure::Error| error.to_string();
        let declared = shape[0];
        let lacking = |held: u64| match held {
            held if held < declared => Err(format!("it declares {declared} rows, but holds data for {held}")),
            _ => Ok(()),
        };
        let file_bytes = self.file.file_size();
        let row_bytes = shape[1..]
            .iter()
            .try_fold(data.element_size().map_err(broken)?, |bytes, &side| bytes.checked_mul(side));
        let row_bytes = row_bytes.ok_or_else(|| format!("rows of shape {:?} are too large", &shape[1..]))?;
        match data.layout().map_err(broken)? {
            Layout::Compact { size } => lacking(size / row_bytes),
            Layout::Contiguous { address, size } => {
                let behind = address.map_or(0, |address| file_bytes.saturating_sub(address));
                lacking(size.min(behind) / row_bytes)
            }
            Layout::Chunked { chunk_shape, index } => {
                let grid: Vec<u64> = shape
                    .iter()
                    .zip(&chunk_shape)
                    .map(|(&side, &chunk)| side.div_ceil(chunk.max(1)))
                    .collect();
                let chunks = grid.iter().try_fold(1, |chunks: u64, &side| chunks.checked_mul(side));
                // An index has an address of at least four bytes for each chunk, and gzip makes at best 1 of 1032 bytes.
                let bytes = declared.saturating_mul(row_bytes);
                let unknown =
                    data.filters().iter().any(|filter| ![DEFLATE, SHUFFLE, FLETCHER32].contains(filter));
                if chunks.is_none_or(|chunks| chunks > file_bytes / 4)
                    || (!unknown && bytes / 1032 > file_bytes)
                {
                    return Err(format!(
                        "it declares {declared} rows, which a file of {file_bytes} bytes cannot hold"
                    ));
                }
                // Chunks under this index cannot be listed; those that are missing are left to the reader.
                if index == ChunkIndex::BTreeV2 {
                    return Ok(());
                }
                let across: u64 = grid[1..].iter().product();
                let mut stored = vec![0; grid[0] as usize];
                for chunk in data.chunks().map_err(broken)? {
                    // Memory is taken for the bytes of a chunk before they are read.
                    if chunk.storage_size > file_bytes {
                        let (row, size) = (chunk.offset[0], chunk.storage_size);
                        return Err(format!(
                            "its chunk at row {row} would have {size} bytes, in a file of {file_bytes}"
                        ));
                    }
                    let inside = chunk.offset.iter().zip(shape).all(|(at, side)| at < side);
                    if inside {
                        stored[(chunk.offset[0] / chunk_shape[0].max(1)) as usize] += 1;
                    }
                }
                let whole = stored.into_iter().filter(|&chunks| chunks >= across).count() as u64;
                lacking(if whole == grid[0] { declared } else { whole * chunk_shape[0] })
            }
            _ => Ok(()),
        }
    }

    /// An error about the array `name`.
    pub fn problem(&self, name: &str, problem: String) -> DataError {
        DataError::Hdf5Array { path: self.path.clone(), array: name.to_owned(), problem }
    }

    fn broken(&self, error: hdf5_pure::Error) -> DataError {
        DataError::Hdf5File { path: self.path.clone(), source: Box::new(error) }
    }
}

/// What an array's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Bytes.
    U8,
    /// Single precision, of either byte order.
    F32,
    /// Integers of another width.
    Integer,
}

/// An array of a file; its rows are along the first axis.
pub(crate) struct Array {
    /// The file.
    pub path: PathBuf,
    /// The array's name in it.
    pub name: String,
    /// What its values are.
    pub kind: Numbers,
    /// Never empty, and without a 0.
    pub shape: Vec<usize>,
    /// Rows that are packed together; `None` if the array is not in chunks.
    pub chunk_rows: Option<usize>,
    data: hdf5_pure::Dataset,
}

/// Rows of an array.
pub(crate) enum Values {
    /// Bytes.
    U8(Vec<u8>),
    /// Single precision; all finite where they come from a file.
    F32(Vec<f32>),
}

impl Array {
    /// An error about this array.
    pub fn problem(&self, problem: String) -> DataError {
        DataError::Hdf5Array { path: self.path.clone(), array: self.name.clone(), problem }
    }

    /// Reads rows of bytes or of single precision.
    ///
    /// # Errors
    /// If the file cannot be read or unpacked there, or a value of single precision is not finite or, of `pixels`, too large.
    pub fn read(&self, rows: Range<usize>, pixels: bool) -> Result<Values, DataError> {
        let values = self.read_unchecked(&rows).map_err(|error| self.first_unreadable(&rows, error))?;
        let size: usize = self.shape[1..].iter().product();
        let found = match &values {
            Values::U8(values) => values.len(),
            Values::F32(values) => values.len(),
        };
        if found != rows.len() * size {
            return Err(self.problem(format!("rows {rows:?} hold {found} values, not {}", rows.len() * size)));
        }
        let most = if pixels { MOST_OF_PIXELS } else { f32::MAX };
        if let Values::F32(values) = &values
            && let Some(at) = values.iter().position(|x| x.is_nan() || x.abs() > most)
        {
            let (row, value) = (rows.start + at / size, values[at]);
            let range =
                "; pixels in single precision lie in [-1, 1] (`encoding = \"latents\"` takes other values)";
            let why = if value.is_finite() { range } else { "" };
            return Err(self.problem(format!("row {row} holds the value {value}{why}")));
        }
        Ok(values)
    }

    fn read_unchecked(&self, rows: &Range<usize>) -> Result<Values, hdf5_pure::Error> {
        let (start, count) = (rows.start as u64, rows.len() as u64);
        match self.kind {
            Numbers::U8 => self.data.read_u8_rows(start, count).map(Values::U8),
            Numbers::F32 => self.data.read_f32_rows(start, count).map(Values::F32),
            Numbers::Integer => unreachable!("only labels are integers"),
        }
    }

    /// The error of the first chunk of `rows` that cannot be read; `error` is that of reading them together.
    fn first_unreadable(&self, rows: &Range<usize>, error: hdf5_pure::Error) -> DataError {
        let packed = self.chunk_rows.unwrap_or(rows.len()).max(1);
        for from in (rows.start..rows.end).step_by(packed) {
            let chunk = from..(from + packed).min(rows.end);
            if let Err(error) = self.read_unchecked(&chunk) {
                return self.unreadable(&chunk, &error);
            }
        }
        self.unreadable(rows, &error)
    }

    /// Reads all values of an array of integers with one axis.
    pub fn read_integers(&self) -> Result<Vec<i64>, DataError> {
        if self.kind == Numbers::F32 || self.shape.len() != 1 {
            return Err(self.problem(format!(
                "labels must be integers of shape [rows], not {:?} of shape {:?}",
                self.kind, self.shape
            )));
        }
        let unreadable = |error| self.unreadable(&(0..self.shape[0]), &error);
        if self.data.dtype().map_err(unreadable)? != DType::U64 {
            return self.data.read_i64().map_err(unreadable);
        }
        let values = self.data.read_u64().map_err(unreadable)?;
        let signed = |(row, value): (usize, u64)| {
            i64::try_from(value).map_err(|_| self.problem(format!("row {row} holds the label {value}")))
        };
        values.into_iter().enumerate().map(signed).collect()
    }

    fn unreadable(&self, rows: &Range<usize>, error: &hdf5_pure::Error) -> DataError {
        let which = match rows.len() {
            1 => format!("row {}", rows.start),
            _ => format!("rows {} to {}", rows.start, rows.end - 1),
        };
        self.problem(format!("{which} cannot be read: {error}"))
    }
}

/// An array to write.
pub(crate) struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// Row after row.
    pub values: Values,
    /// Shape of a row.
    pub shape: [usize; 3],
}

/// How to pack an array.
#[derive(Clone, Copy)]
pub(crate) struct Packing {
    /// Rows packed together.
    pub chunk_rows: usize,
    /// Level of gzip; 0 does not compress.
    pub gzip: u32,
}

/// Writes arrays of as many rows as there are, labels and integer attributes as one file.
pub(crate) fn write(
    path: &Path,
    columns: Vec<Column>,
    labels: Option<Vec<i64>>,
    attributes: &[(&str, i64)],
    packing: Packing,
) -> Result<(), DataError> {
    let mut file = FileBuilder::new();
    for Column { name, values, shape } in columns {
        let array = file.create_dataset(name);
        let size: usize = shape.iter().product();
        let rows = match values {
            Values::U8(values) => {
                array.with_u8_data(&values);
                values.len() / size
            }
            Values::F32(values) => {
                array.with_f32_data(&values);
                values.len() / size
            }
        };
        let sides = |rows: usize| [rows, shape[0], shape[1], shape[2]].map(|side| side as u64);
        array.with_shape(&sides(rows)).with_chunks(&sides(packing.chunk_rows.min(rows)));
        if packing.gzip > 0 {
            array.with_deflate(packing.gzip);
        }
    }
    if let Some(labels) = labels {
        file.create_dataset("labels").with_i64_data(&labels);
    }
    for (name, value) in attributes {
        file.set_attr(name, AttrValue::I64(*value));
    }
    file.write(path).map_err(|error| match error {
        hdf5_pure::Error::Io(source) => DataError::write(path)(source),
        error => DataError::Hdf5File { path: path.to_path_buf(), source: Box::new(error) },
    })?;
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(DataError::write(path))
}

/// An array of floats that is small enough to be in memory as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Floats {
    /// The shape.
    pub shape: Vec<usize>,
    /// The values, row-major.
    pub values: Vec<f64>,
}

/// Names of the arrays of an HDF5 file that are in no group.
///
/// # Errors
/// A file that cannot be read or is not HDF5.
pub fn array_names(path: &Path) -> Result<Vec<String>, DataError> {
    File::open(path)?.names()
}

/// The attribute `name` of an HDF5 file; `None` if there is none, or it is no text.
///
/// # Errors
/// A file that cannot be read or is not HDF5.
pub fn read_text(path: &Path, name: &str) -> Result<Option<String>, DataError> {
    let file = File::open(path)?;
    let attributes = file.file.root().attrs().map_err(|error| file.broken(error))?;
    Ok(attributes.get(name).and_then(AttrValue::as_str).map(str::to_owned))
}

/// Reads the array `name` of single or double precision from an HDF5 file.
///
/// # Errors
/// A file or an array that cannot be read, and values of another type.
pub fn read_floats(path: &Path, name: &str) -> Result<Floats, DataError> {
    let file = File::open(path)?;
    let problem = |problem: String| file.problem(name, problem);
    let broken = |error: hdf5_pure::Error| problem(error.to_string());
    let data = file.file.dataset(name).map_err(broken)?;
    let shape = data.shape().map_err(broken)?;
    if !shape.is_empty() && !shape.contains(&0) {
        file.check_stored(&data, &shape).map_err(problem)?;
    }
    let shape: Vec<usize> = shape.into_iter().map(|side| side as usize).collect();
    let values: Vec<f64> = match data.dtype().map_err(broken)? {
        DType::F64 => data.read_f64().map_err(broken)?,
        DType::F32 => data.read_f32().map_err(broken)?.into_iter().map(f64::from).collect(),
        other => {
            return Err(problem(format!("values of type {other}; single or double precision is wanted")));
        }
    };
    if values.len() != shape.iter().product::<usize>() {
        return Err(problem(format!("of shape {shape:?}, it holds {} values", values.len())));
    }
    Ok(Floats { shape, values })
}

/// Writes arrays of double precision as an HDF5 file, whole or not at all.
///
/// # Errors
/// A file that cannot be written.
pub fn write_floats(path: &Path, arrays: &[(&str, &Floats)]) -> Result<(), DataError> {
    write_floats_with(path, arrays, &[])
}

/// [`write_floats`], and texts as attributes of the file.
///
/// # Errors
/// A file that cannot be written.
pub fn write_floats_with(
    path: &Path,
    arrays: &[(&str, &Floats)],
    texts: &[(&str, String)],
) -> Result<(), DataError> {
    let mut file = FileBuilder::new();
    for (name, text) in texts {
        file.set_attr(name, AttrValue::String(text.clone()));
    }
    for (name, array) in arrays {
        let shape: Vec<u64> = array.shape.iter().map(|&side| side as u64).collect();
        file.create_dataset(name).with_f64_data(&array.values).with_shape(&shape);
    }
    replace_shared(path, |part| {
        file.write(part).map_err(|error| match error {
            hdf5_pure::Error::Io(error) => error,
            error => io::Error::other(error),
        })
    })
    .map_err(DataError::write(path))
}
