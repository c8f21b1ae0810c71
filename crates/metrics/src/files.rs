//! Arrays in NumPy's `.npy` and `.npz` files.

use std::path::{Path, PathBuf};

use meanflow_weights::{FileError, HostArray, NpzFile, StoredArray, Values};
use ndarray::{ArrayD, Dimension, IxDyn};

use crate::MetricError;

/// Why a file or a folder could not be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is in it is not what is wanted.
    #[error("{}: {item}: {reason}", path.display())]
    Invalid {
        /// The file or folder.
        path: PathBuf,
        /// What in it.
        item: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Pictures that are read elsewhere cannot be read.
    #[error(transparent)]
    Elsewhere(Box<dyn std::error::Error + Send + Sync>),
    /// A metric refuses what is in it.
    #[error("{}: {error}", path.display())]
    Metric {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: MetricError,
    },
}

impl InputError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    pub(crate) fn invalid(path: &Path, item: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid { path: path.to_owned(), item: item.into(), reason: reason.to_string() }
    }
}

/// An array of one of the types that samples and statistics are stored in.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// Bytes: pictures.
    U8(ArrayD<u8>),
    /// Single precision.
    F32(ArrayD<f32>),
    /// Double precision.
    F64(ArrayD<f64>),
}

impl Array {
    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::U8(array) => array.shape(),
            Self::F32(array) => array.shape(),
            Self::F64(array) => array.shape(),
        }
    }

    /// Its values as f64.
    pub fn to_f64(&self) -> ArrayD<f64> {
        match self {
            Self::U8(array) => array.mapv(f64::from),
            Self::F32(array) => array.mapv(f64::from),
            Self::F64(array) => array.clone(),
        }
    }

    /// Its values as f32.
    pub fn into_f32(self) -> ArrayD<f32> {
        match self {
            Self::U8(array) => array.mapv(f32::from),
            Self::F32(array) => array,
            Self::F64(array) => array.mapv(|value| value as f32),
        }
    }
}

impl Array {
    fn of(array: HostArray, path: &Path, item: &str) -> Result<Self, InputError> {
        let shape = IxDyn(&array.shape);
        match array.values {
            Values::U8(values) => ArrayD::from_shape_vec(shape, values).map(Self::U8),
            Values::F32(values) => ArrayD::from_shape_vec(shape, values).map(Self::F32),
            Values::F64(values) => ArrayD::from_shape_vec(shape, values).map(Self::F64),
        }
        .map_err(|error| InputError::invalid(path, item, error))
    }
}

/// What is wrong with an item of a file.
pub(crate) fn wrong(path: &Path, item: &str) -> impl FnOnce(FileError) -> InputError {
    move |error| match error {
        FileError::Io(error) => InputError::read(path)(error),
        FileError::Missing(_) => InputError::invalid(path, item, "is missing"),
        other => InputError::invalid(path, item, other),
    }
}

/// What the one array of a `.npy` file is called in errors.
pub(crate) const ONLY: &str = "the array";

/// Reads a `.npy` file of bytes, half precision (as f32), f32 or f64, of either byte order and memory layout.
///
/// # Errors
/// A file that cannot be read, is truncated, is no `.npy` file or holds another type.
pub fn read_npy(path: &Path) -> Result<Array, InputError> {
    Array::of(meanflow_weights::read_npy(path).map_err(wrong(path, ONLY))?, path, ONLY)
}

/// An open `.npz` file.
pub struct Npz {
    path: PathBuf,
    file: NpzFile,
}

impl Npz {
    /// Opens a file and lists its arrays.
    ///
    /// # Errors
    /// A file that cannot be read, is truncated or is no `.npz` file.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let file = NpzFile::open(path).map_err(wrong(path, "the archive"))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Names of the arrays.
    pub fn names(&self) -> &[String] {
        self.file.names()
    }

    /// Reads the array `name`.
    ///
    /// # Errors
    /// No such array, a broken one, or one of another type than bytes and floats.
    pub fn array(&mut self, name: &str) -> Result<Array, InputError> {
        Array::of(self.file.read(name).map_err(wrong(&self.path, name))?, &self.path, name)
    }

    /// The array `name`, to be read in parts; `None` if it can only be read whole.
    pub(crate) fn stored(&mut self, name: &str) -> Result<Option<StoredArray>, InputError> {
        self.file.stored(name).map_err(wrong(&self.path, name))
    }

    /// The text under `name`, which is an array of bytes with one axis; `None` if there is none, or something else.
    ///
    /// # Errors
    /// A broken array.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, InputError> {
        match self.file.read(name) {
            Ok(HostArray { shape, values: Values::U8(bytes) }) if shape.len() == 1 => {
                Ok(String::from_utf8(bytes).ok())
            }
            Ok(_) | Err(FileError::Missing(_) | FileError::Unsupported(_)) => Ok(None),
            Err(error) => Err(wrong(&self.path, name)(error)),
        }
    }
}

/// The array with the number of axes that `D` has.
pub(crate) fn axes<D: Dimension>(
    array: ArrayD<f64>,
    path: &Path,
    item: &str,
) -> Result<ndarray::Array<f64, D>, InputError> {
    let shape = array.shape().to_vec();
    array.into_dimensionality::<D>().map_err(|_| {
        let wanted = D::NDIM.unwrap_or_default();
        InputError::invalid(path, item, format!("has the shape {shape:?} instead of {wanted} axes"))
    })
}
