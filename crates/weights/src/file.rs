//! A file of tensors, whatever wrote it.

use crate::{FileError, FlaxFile, HostTensor, NpzFile, SafetensorsFile, TorchFile};
use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
    path::Path,
};

/// An open file of tensors.
pub struct TensorFile {
    format: Format,
    /// Bytes of the file.
    length: u64,
}

enum Format {
    Safetensors(SafetensorsFile),
    Torch(TorchFile),
    Flax(FlaxFile),
    Numpy(NpzFile),
}

/// Numbers that [`TensorFile::floats`] reads of any file; of larger files, as many as they have bytes.
const NUMBERS: u64 = 1 << 24;

impl TensorFile {
    /// Opens a file; what it is, its first bytes say.
    ///
    /// # Errors
    /// A file of no known format, one that is cut short or damaged, and what [`FileError`] says beside.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = meanflow_files::open(path)?;
        let length = file.metadata()?.len();
        let mut start = Vec::new();
        file.take(9).read_to_end(&mut start)?;
        let format = match &start[..] {
            // The length of a header in eight bytes, and the header: it may begin as the other formats do.
            [.., 0, 0, 0, 0, b'{'] => Format::Safetensors(SafetensorsFile::open(path)?),
            [b'P', b'K', 3, 4, ..] if is_numpy(path)? => Format::Numpy(NpzFile::open(path)?),
            [b'P', b'K', 3, 4, ..] | [0x80, ..] => Format::Torch(TorchFile::open(path)?),
            start if FlaxFile::begins(start) => Format::Flax(FlaxFile::open(path)?),
            _ => {
                return Err(FileError::broken(
                    "it is no file of tensors: neither of safetensors nor of PyTorch, Flax or NumPy",
                ));
            }
        };
        Ok(Self { format, length })
    }

    /// Names of the tensors.
    pub fn names(&self) -> Vec<&str> {
        match &self.format {
            Format::Safetensors(file) => file.names().collect(),
            Format::Torch(file) => file.names().collect(),
            Format::Flax(file) => file.names().collect(),
            Format::Numpy(file) => file.names().iter().map(String::as_str).collect(),
        }
    }

    /// The texts that stand beside the tensors; of a safetensors file alone.
    pub fn metadata(&self) -> HashMap<String, String> {
        match &self.format {
            Format::Safetensors(file) => file.metadata(),
            Format::Torch(_) | Format::Flax(_) | Format::Numpy(_) => HashMap::new(),
        }
    }

    /// One tensor of floats as f32, in row-major order.
    ///
    /// # Errors
    /// [`FileError::Missing`]; [`FileError::Unsupported`] if it holds no floats; what is wrong with it.
    pub fn read(&mut self, name: &str) -> Result<HostTensor, FileError> {
        match &mut self.format {
            Format::Safetensors(file) => file.read(name),
            Format::Torch(file) => file.read(name),
            Format::Flax(file) => file.read(name),
            Format::Numpy(file) => file.tensor(name),
        }
    }

    /// Compares the content with the checksum that stands in the file; only safetensors files may have one.
    ///
    /// # Errors
    /// [`FileError::Broken`] if it is another.
    pub fn verify(&mut self) -> Result<(), FileError> {
        match &mut self.format {
            Format::Safetensors(file) if file.has_checksum() => file.stored(|_| false).map(drop),
            _ => Ok(()),
        }
    }

    /// All tensors of floats; those of other types are left out.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), with the tensor's name, and [`FileError::TooLarge`] if the tensors have far more numbers
    /// than the file, which views can have.
    pub fn floats(&mut self) -> Result<BTreeMap<String, HostTensor>, FileError> {
        let names: Vec<String> = self.names().into_iter().map(str::to_owned).collect();
        let mut left = self.length.max(NUMBERS);
        let mut tensors = BTreeMap::new();
        for name in names {
            match self.read(&name) {
                Ok(tensor) => {
                    left = left.checked_sub(tensor.values.len() as u64).ok_or_else(|| {
                        FileError::too_large("its tensors have more numbers together than the file has bytes")
                    })?;
                    tensors.insert(name, tensor);
                }
                Err(FileError::Unsupported(_)) => {}
                Err(FileError::Broken(reason)) => {
                    return Err(FileError::broken(format!("`{name}`: {reason}")));
                }
                Err(FileError::TooLarge(reason)) => {
                    return Err(FileError::too_large(format!("`{name}`: {reason}")));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(tensors)
    }
}

/// Whether an archive holds arrays of NumPy.
fn is_numpy(path: &Path) -> Result<bool, FileError> {
    Ok(!NpzFile::open(path)?.names().is_empty())
}
