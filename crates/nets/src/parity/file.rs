//! Reading a reference file.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::de::DeserializeOwned;

use super::ParityError;
use meanflow_weights::HostTensor;

/// A reference file in memory: metadata and tensors, integers as floats.
pub(super) struct ReferenceFile {
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, HostTensor>,
}

impl ReferenceFile {
    pub(super) fn read(path: &Path) -> Result<Self, ParityError> {
        let bytes = std::fs::read(path).map_err(|source| ParityError::Read { path: path.into(), source })?;
        let format = |reason: String| ParityError::Format { path: path.into(), reason };
        let views = SafeTensors::deserialize(&bytes).map_err(|e| format(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| format(e.to_string()))?;
        let tensors = views
            .iter()
            .map(|(name, view)| Ok((name.to_string(), host_tensor(name, &view)?)))
            .collect::<Result<_, ParityError>>()?;
        Ok(Self { metadata: header.metadata().clone().unwrap_or_default(), tensors })
    }

    /// The metadata entry `key`.
    pub(super) fn metadata(&self, key: &str) -> Result<&str, ParityError> {
        self.metadata
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| ParityError::Metadata { key: key.into(), reason: "missing".into() })
    }

    /// The metadata entry `config`, JSON under the reference's own names.
    pub(super) fn config<C: DeserializeOwned>(&self) -> Result<C, ParityError> {
        serde_json::from_str(self.metadata("config")?)
            .map_err(|error| ParityError::Metadata { key: "config".into(), reason: error.to_string() })
    }

    /// The metadata entry `key` as a finite number.
    pub(super) fn number(&self, key: &str) -> Result<f64, ParityError> {
        let text = self.metadata(key)?;
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(ParityError::Metadata { key: key.into(), reason: format!("`{text}` is not a number") }),
        }
    }

    /// Whether there is a tensor `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor `name`.
    pub(super) fn tensor(&self, name: &str) -> Result<&HostTensor, ParityError> {
        self.tensors
            .get(name)
            .ok_or_else(|| ParityError::Tensor { name: name.into(), reason: "missing".into() })
    }

    /// The tensor `name` if it has this shape.
    pub(super) fn shaped(&self, name: &str, shape: &[usize]) -> Result<&[f32], ParityError> {
        let tensor = self.tensor(name)?;
        if tensor.shape != shape {
            return Err(ParityError::Tensor {
                name: name.into(),
                reason: format!("has the shape {:?} instead of {shape:?}", tensor.shape),
            });
        }
        Ok(&tensor.values)
    }

    /// Tensors whose name starts with `prefix`, without it.
    pub(super) fn with_prefix(&self, prefix: &str) -> BTreeMap<String, HostTensor> {
        let strip = |(name, tensor): (&String, &HostTensor)| {
            Some((name.strip_prefix(prefix)?.to_string(), tensor.clone()))
        };
        self.tensors.iter().filter_map(strip).collect()
    }

    /// Names of all tensors.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }
}

fn host_tensor(name: &str, view: &TensorView) -> Result<HostTensor, ParityError> {
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F32 => numbers(bytes, f32::from_le_bytes),
        Dtype::F64 => numbers(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::I32 => numbers(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I64 => numbers(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&byte| f32::from(byte)).collect(),
        other => {
            return Err(ParityError::Tensor {
                name: name.into(),
                reason: format!("values of type {other:?} are not supported"),
            });
        }
    };
    Ok(HostTensor { shape: view.shape().to_vec(), values })
}

/// Little-endian numbers of `N` bytes each; safetensors does not align them.
fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}
