//! Arrays in NumPy's `.npy` and `.npz` files.
//!
//! A type and a shape are read from the header and compared with the bytes that are there before memory is taken.

mod header;
mod stored;

use crate::{FileError, HostTensor, archive::Archive, number::numbers};
use half::f16;
use header::Header;
use std::{
    io::{BufReader, Read},
    path::{Path, PathBuf},
};
pub use stored::StoredArray;

/// An array on the host, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct HostArray {
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Values,
}

/// The values of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Bytes.
    U8(Vec<u8>),
    /// Single precision; also what was half precision in the file.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Bytes.
    U8,
    /// Half precision.
    F16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Element {
    /// Bytes of a value.
    pub fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn values(self, mut bytes: Vec<u8>, big_endian: bool) -> Values {
        if big_endian {
            bytes.chunks_exact_mut(self.size()).for_each(<[u8]>::reverse);
        }
        match self {
            Self::U8 => Values::U8(bytes),
            Self::F16 => Values::F32(numbers(&bytes, |b| f16::from_le_bytes(b).to_f32())),
            Self::F32 => Values::F32(numbers(&bytes, f32::from_le_bytes)),
            Self::F64 => Values::F64(numbers(&bytes, f64::from_le_bytes)),
        }
    }
}

/// Bytes that a compressed array may have unpacked: it is read as a whole, while one that is stored as it is can be read in parts.
const UNPACKED: u64 = 1 << 32;

/// Reads the array of a `.npy` file whole: bytes and floats of 64, 32 and 16 bits, of either byte order and memory layout.
///
/// # Errors
/// A file that is no `.npy` file or whose length does not fit its shape; other types, objects among them.
pub fn read_npy(path: &Path) -> Result<HostArray, FileError> {
    let file = meanflow_files::open(path)?;
    let length = file.metadata()?.len();
    whole(BufReader::new(file), length)
}

/// Opens the array of a `.npy` file, to be read in parts; `None` if its first axis is not the outermost in memory (Fortran order).
///
/// # Errors
/// Those of [`read_npy`].
pub fn open_npy(path: &Path) -> Result<Option<StoredArray>, FileError> {
    let length = meanflow_files::open(path)?.metadata()?.len();
    StoredArray::open(path, 0, length)
}

/// An open `.npz` file.
pub struct NpzFile {
    path: PathBuf,
    archive: Archive,
    names: Vec<String>,
}

/// What the names of members end with.
const ENDING: &str = ".npy";

impl NpzFile {
    /// Opens a file and lists its arrays.
    ///
    /// # Errors
    /// A file that is no archive, or cut short.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let archive = Archive::open(path)?;
        let names = archive.names().filter_map(|name| Some(name.strip_suffix(ENDING)?.to_owned())).collect();
        Ok(Self { path: path.to_owned(), archive, names })
    }

    /// Names of the arrays, in the order of the file.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads an array whole. Its checksum is compared.
    ///
    /// # Errors
    /// Those of [`read_npy`], and [`FileError::Missing`].
    pub fn read(&mut self, name: &str) -> Result<HostArray, FileError> {
        let member = format!("{name}{ENDING}");
        let missing = || FileError::Missing(name.to_owned());
        let found = self.archive.member(&member)?.ok_or_else(missing)?;
        if found.stored_at.is_none() && found.size > UNPACKED {
            return Err(FileError::too_large(format!(
                "it is compressed and has {} bytes unpacked; store it with numpy.savez, so that it can be read in parts",
                found.size
            )));
        }
        self.archive.stream(&member, |bytes| whole(bytes, found.size))?
    }

    /// Opens an array, to be read in parts; `None` if it is compressed or in Fortran order.
    ///
    /// # Errors
    /// Those of [`read_npy`], and [`FileError::Missing`].
    pub fn stored(&mut self, name: &str) -> Result<Option<StoredArray>, FileError> {
        let member = self.archive.member(&format!("{name}{ENDING}"))?;
        let member = member.ok_or_else(|| FileError::Missing(name.to_owned()))?;
        match member.stored_at {
            Some(at) => StoredArray::open(&self.path, at, member.size),
            None => Ok(None),
        }
    }

    /// One array of floats as f32.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and bytes.
    pub(crate) fn tensor(&mut self, name: &str) -> Result<HostTensor, FileError> {
        let HostArray { shape, values } = self.read(name)?;
        let values = match values {
            Values::U8(_) => {
                return Err(FileError::unsupported("its values are bytes, which no weights are"));
            }
            Values::F32(values) => values,
            Values::F64(values) => values.into_iter().map(|value| value as f32).collect(),
        };
        Ok(HostTensor { shape, values })
    }
}

/// The array in `length` bytes.
fn whole(mut bytes: impl Read, length: u64) -> Result<HostArray, FileError> {
    let (header, begin) = Header::read(&mut bytes)?;
    let size = header.check(length.saturating_sub(begin))?;
    // Of compressed bytes it is known only now whether they are there.
    let mut data = Vec::with_capacity(size.min(1 << 24));
    // One byte more: a checksum is compared at the end.
    bytes.take(size as u64 + 1).read_to_end(&mut data).map_err(damaged)?;
    if data.len() != size {
        let found = data.len();
        return Err(FileError::broken(format!("it has {found} bytes of values instead of {size}")));
    }
    let Header { element, big_endian, fortran, shape } = header;
    let values = element.values(data, big_endian);
    let values = match fortran && shape.iter().filter(|&&size| size > 1).count() > 1 {
        true => match values {
            Values::U8(values) => Values::U8(row_major(&values, &shape)),
            Values::F32(values) => Values::F32(row_major(&values, &shape)),
            Values::F64(values) => Values::F64(row_major(&values, &shape)),
        },
        false => values,
    };
    Ok(HostArray { shape, values })
}

/// What a checksum that is wrong looks like.
fn damaged(error: std::io::Error) -> FileError {
    FileError::broken(format!("it is damaged: {error}"))
}

/// Values whose first axis runs fastest, in the order in which the last one does.
fn row_major<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut ordered = Vec::with_capacity(values.len());
    let mut at = 0;
    for _ in 0..values.len() {
        ordered.push(values[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}

#[cfg(test)]
mod tests;
