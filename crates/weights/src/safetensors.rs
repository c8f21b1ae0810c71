//! Safetensors files.

use crate::{FileError, HostTensor, number::Float};
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// An open file; numbers stay on the disk until a tensor is asked for.
pub struct SafetensorsFile {
    file: BufReader<File>,
    header: Metadata,
    names: Vec<String>,
    /// Where the numbers begin.
    start: u64,
}

/// Bytes of a header that are read; the library reads no more either.
const HEADER: u64 = 100_000_000;

impl SafetensorsFile {
    /// Reads the header and compares it with the length of the file.
    ///
    /// # Errors
    /// A file that is no safetensors file, or cut short.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let foreign =
            |reason: String| FileError::broken(format!("it is no whole safetensors file ({reason})"));
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut file = BufReader::new(file);
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(|_| foreign(format!("it has {length} bytes")))?;
        let size = u64::from_le_bytes(start);
        if size > HEADER || size > length - 8 {
            return Err(foreign(format!("its header would have {size} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        file.read_exact(&mut bytes)?;
        let header: Metadata = serde_json::from_slice(&bytes).map_err(|error| foreign(error.to_string()))?;
        let start = 8 + size;
        let expected = start + header.data_len() as u64;
        if expected != length {
            return Err(foreign(format!("it has {length} bytes, its header needs {expected}")));
        }
        Ok(Self { file, names: header.offset_keys(), header, start })
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The texts that stand beside the tensors.
    pub fn metadata(&self) -> HashMap<String, String> {
        self.header.metadata().clone().unwrap_or_default()
    }

    /// One tensor of floats as f32.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&mut self, name: &str) -> Result<HostTensor, FileError> {
        let info = self.header.info(name).ok_or_else(|| FileError::Missing(name.to_owned()))?;
        let TensorInfo { dtype, shape, data_offsets: (begin, end) } = info.clone();
        let number = match dtype {
            Dtype::F64 => Float::F64,
            Dtype::F32 => Float::F32,
            Dtype::F16 => Float::F16,
            Dtype::BF16 => Float::Bf16,
            other => {
                let reason = format!("its element type is {other:?}, which no weights are");
                return Err(FileError::unsupported(reason));
            }
        };
        let mut bytes = vec![0; end - begin];
        self.file.seek(SeekFrom::Start(self.start + begin as u64))?;
        self.file.read_exact(&mut bytes)?;
        Ok(HostTensor { shape, values: number.read(&bytes) })
    }
}
