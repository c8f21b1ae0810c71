//! Arrays in NumPy's `.npy` and `.npz` files.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use ndarray::{ArrayD, ArrayViewD, Dimension, IxDyn, OwnedRepr};
use ndarray_npy::{
    NpzReader, ReadNpyError, ReadNpyExt, ReadNpzError, ReadableElement, ViewElement, ViewNpyError, ViewNpyExt,
};

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

/// Reads a `.npy` file of bytes, half precision (as f32), f32 or f64, of either byte order and memory layout.
///
/// # Errors
/// A file that cannot be read, is truncated, is no `.npy` file or holds another type.
pub fn read_npy(path: &Path) -> Result<Array, InputError> {
    let mut bytes = std::fs::read(path).map_err(InputError::read(path))?;
    let wrong = |reason: String| InputError::invalid(path, "the array", reason);
    if let Some(array) = of_bytes(&bytes).map_err(wrong)? {
        return Ok(Array::F32(array));
    }
    if let Some(array) = of_bytes(&bytes).map_err(wrong)? {
        return Ok(Array::F64(array));
    }
    if let Some(array) = of_bytes(&bytes).map_err(wrong)? {
        return Ok(Array::U8(array));
    }
    // Half precision is read as the 16 bits that it is.
    if let Some(at) = half_precision(&bytes) {
        bytes[at] = b'u';
        let bits: Option<ArrayD<u16>> = of_bytes(&bytes).map_err(wrong)?;
        return bits.map(|bits| Array::F32(bits.mapv(half))).ok_or_else(|| wrong(OTHER_TYPE.to_owned()));
    }
    Err(wrong(OTHER_TYPE.to_owned()))
}

const OTHER_TYPE: &str =
    "values are neither 8-bit unsigned integers nor f32 nor f64 (nor, in a .npy file, half precision)";

/// Where the `f` of `<f2` or `>f2` is in the header of a `.npy` file of half precision.
fn half_precision(bytes: &[u8]) -> Option<usize> {
    let header = &bytes[..bytes.len().min(256)];
    ["'<f2'", "'>f2'"]
        .into_iter()
        .find_map(|name| header.windows(name.len()).position(|some| some == name.as_bytes()))
        .map(|at| at + 2)
}

/// The value of an IEEE 754 binary16, which every f32 can hold.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let mantissa = f32::from(bits & 0x3ff) / 1024.0;
    sign * match bits >> 10 & 0x1f {
        0 => mantissa * 2f32.powi(-14),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1.0 + mantissa) * 2f32.powi(i32::from(exponent) - 15),
    }
}

/// The array in the bytes of a `.npy` file, or `None` if it is of another type. The view is asked first because it compares
/// the length with the shape before anything is allocated.
fn of_bytes<T: ReadableElement + ViewElement + Clone>(bytes: &[u8]) -> Result<Option<ArrayD<T>>, String> {
    match ArrayViewD::<T>::view_npy(bytes) {
        Ok(view) => Ok(Some(view.to_owned())),
        Err(ViewNpyError::WrongDescriptor(_)) => Ok(None),
        Err(ViewNpyError::NonNativeEndian | ViewNpyError::MisalignedData) => {
            ArrayD::<T>::read_npy(bytes).map(Some).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// An open `.npz` file.
pub struct Npz {
    path: PathBuf,
    reader: NpzReader<BufReader<File>>,
    names: Vec<String>,
}

impl Npz {
    /// Opens a file and lists its arrays.
    ///
    /// # Errors
    /// A file that cannot be read, is truncated or is no `.npz` file.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let file = File::open(path).map_err(InputError::read(path))?;
        let invalid = |error: ReadNpzError| InputError::invalid(path, "the archive", error);
        let mut reader = NpzReader::new(BufReader::new(file)).map_err(invalid)?;
        let names = reader.names().map_err(|error| InputError::invalid(path, "the archive", error))?;
        Ok(Self { path: path.to_owned(), reader, names })
    }

    /// Names of the arrays.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads the array `name`.
    ///
    /// # Errors
    /// No such array, a broken one, or one of another type than bytes, f32 or f64.
    pub fn array(&mut self, name: &str) -> Result<Array, InputError> {
        if let Some(array) = self.of(name)? {
            return Ok(Array::F32(array));
        }
        if let Some(array) = self.of(name)? {
            return Ok(Array::F64(array));
        }
        if let Some(array) = self.of(name)? {
            return Ok(Array::U8(array));
        }
        Err(InputError::invalid(&self.path, name, OTHER_TYPE))
    }

    /// The text under `name`, which is an array of bytes with one axis; `None` if there is none, or something else.
    ///
    /// # Errors
    /// A broken array.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, InputError> {
        if !self.names.iter().any(|other| other == name) {
            return Ok(None);
        }
        let bytes = self.of::<u8>(name)?.filter(|bytes| bytes.ndim() == 1);
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes.into_iter().collect()).ok()))
    }

    fn of<T: ReadableElement>(&mut self, name: &str) -> Result<Option<ArrayD<T>>, InputError> {
        match self.reader.by_name::<OwnedRepr<T>, IxDyn>(name) {
            Ok(array) => Ok(Some(array)),
            Err(ReadNpzError::Npy(ReadNpyError::WrongDescriptor(_))) => Ok(None),
            Err(error) => Err(InputError::invalid(&self.path, name, error)),
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
