//! Reading a reference file.

use std::{
    collections::{BTreeMap, HashMap},
    fs::read,
    path::Path,
};

use meanflow_weights::HostTensor;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::de::DeserializeOwned;

use crate::ReferenceFileError;

/// A reference file in memory: metadata and tensors, all numbers as f64 and in row-major order.
#[derive(Debug)]
pub struct ReferenceFile {
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, StoredNumbers>,
}

/// A tensor of a reference file.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredNumbers {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f64>,
}

impl StoredNumbers {
    /// In single precision.
    pub fn single(&self) -> HostTensor {
        let values = self.values.iter().map(|value| *value as f32).collect();
        HostTensor { shape: self.shape.clone(), values }
    }
}

impl ReferenceFile {
    /// Reads a file whole.
    ///
    /// # Errors
    /// A file that cannot be read, is no safetensors file, or holds numbers of an unknown type.
    pub fn read(path: &Path) -> Result<Self, ReferenceFileError> {
        let bytes = bytes(path)?;
        let views =
            SafeTensors::deserialize(&bytes).map_err(|error| ReferenceFileError::format(path, error))?;
        let tensors = views
            .iter()
            .map(|(name, view)| Ok((name.to_owned(), numbers(name, &view)?)))
            .collect::<Result<_, ReferenceFileError>>()?;
        Ok(Self { metadata: metadata(path, &bytes)?, tensors })
    }

    /// The kind of the file in `path`, whatever else is in it.
    ///
    /// # Errors
    /// A file that cannot be read, is no safetensors file or names no kind.
    pub fn kind(path: &Path) -> Result<String, ReferenceFileError> {
        let metadata = metadata(path, &bytes(path)?)?;
        Self { metadata, tensors: BTreeMap::new() }.metadata("kind").map(str::to_owned)
    }

    /// The metadata entry `key`.
    ///
    /// # Errors
    /// If it is missing.
    pub fn metadata(&self, key: &str) -> Result<&str, ReferenceFileError> {
        let entry = self.metadata.get(key).map(String::as_str);
        entry.ok_or_else(|| ReferenceFileError::metadata(key, "missing"))
    }

    /// The metadata entry `key`, decoded from JSON.
    ///
    /// # Errors
    /// If it is missing or something else.
    pub fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T, ReferenceFileError> {
        let text = self.metadata(key)?;
        serde_json::from_str(text).map_err(|error| ReferenceFileError::metadata(key, error.to_string()))
    }

    /// The metadata entry `key` as a finite number.
    ///
    /// # Errors
    /// If it is missing or something else.
    pub fn number(&self, key: &str) -> Result<f64, ReferenceFileError> {
        let text = self.metadata(key)?;
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(ReferenceFileError::metadata(key, format!("`{text}` is not a number"))),
        }
    }

    /// All tensors by their names.
    pub fn tensors(&self) -> &BTreeMap<String, StoredNumbers> {
        &self.tensors
    }

    /// The tensor `name`.
    ///
    /// # Errors
    /// If it is missing.
    pub fn tensor(&self, name: &str) -> Result<&StoredNumbers, ReferenceFileError> {
        self.tensors.get(name).ok_or_else(|| ReferenceFileError::tensor(name, "missing"))
    }

    /// The numbers of the tensor `name` in single precision, if it has this shape.
    ///
    /// # Errors
    /// If it is missing or has another.
    pub fn shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ReferenceFileError> {
        let tensor = self.tensor(name)?;
        if tensor.shape != shape {
            let reason = format!("has the shape {:?} instead of {shape:?}", tensor.shape);
            return Err(ReferenceFileError::tensor(name, reason));
        }
        Ok(tensor.single().values)
    }

    /// Tensors whose name starts with `prefix`, without it, in single precision.
    pub fn with_prefix(&self, prefix: &str) -> BTreeMap<String, HostTensor> {
        let strip = |(name, tensor): (&String, &StoredNumbers)| {
            Some((name.strip_prefix(prefix)?.to_string(), tensor.single()))
        };
        self.tensors.iter().filter_map(strip).collect()
    }

    /// Names of the tensors that start with `prefix`.
    pub fn names(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, ReferenceFileError> {
    read(path).map_err(|source| ReferenceFileError::Read { path: path.into(), source })
}

fn metadata(path: &Path, bytes: &[u8]) -> Result<HashMap<String, String>, ReferenceFileError> {
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| ReferenceFileError::format(path, error))?;
    Ok(header.metadata().clone().unwrap_or_default())
}

fn numbers(name: &str, view: &TensorView) -> Result<StoredNumbers, ReferenceFileError> {
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::I32 => each(bytes, |b| f64::from(i32::from_le_bytes(b))),
        Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&byte| f64::from(byte)).collect(),
        other => {
            let reason = format!("values of type {other:?} are not supported");
            return Err(ReferenceFileError::tensor(name, reason));
        }
    };
    Ok(StoredNumbers { shape: view.shape().to_vec(), values })
}

/// Little-endian numbers of `N` bytes each; safetensors does not align them.
fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}
