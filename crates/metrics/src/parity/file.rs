//! Reading a reference file.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use ndarray::Array2;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::ParityError;

/// Metadata and tensors, all numbers as f32 and in row-major order.
pub(super) struct ReferenceFile {
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl ReferenceFile {
    pub(super) fn read(path: &Path) -> Result<Self, ParityError> {
        let bytes = std::fs::read(path).map_err(|source| ParityError::Read { path: path.into(), source })?;
        let format = |reason: String| ParityError::Format { path: path.into(), reason };
        let views = SafeTensors::deserialize(&bytes).map_err(|e| format(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| format(e.to_string()))?;
        let tensors = views
            .iter()
            .map(|(name, view)| Ok((name.to_owned(), (view.shape().to_vec(), values(name, &view)?))))
            .collect::<Result<_, ParityError>>()?;
        Ok(Self { metadata: header.metadata().clone().unwrap_or_default(), tensors })
    }

    /// The kind of the file in `path`, whatever else is in it.
    pub(super) fn kind(path: &Path) -> Result<String, ParityError> {
        let bytes = std::fs::read(path).map_err(|source| ParityError::Read { path: path.into(), source })?;
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| ParityError::Format { path: path.into(), reason: error.to_string() })?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Self { metadata, tensors: BTreeMap::new() }.metadata("kind").map(str::to_owned)
    }

    /// The metadata entry `key`.
    pub(super) fn metadata(&self, key: &str) -> Result<&str, ParityError> {
        self.metadata
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| ParityError::Metadata { key: key.into(), reason: "missing".into() })
    }

    /// The metadata entry `key`, decoded from JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T, ParityError> {
        serde_json::from_str(self.metadata(key)?)
            .map_err(|error| ParityError::Metadata { key: key.into(), reason: error.to_string() })
    }

    /// The tensor `name`: shape and values.
    pub(super) fn tensor(&self, name: &str) -> Result<(&[usize], &[f32]), ParityError> {
        match self.tensors.get(name) {
            Some((shape, values)) => Ok((shape, values)),
            None => Err(ParityError::Tensor { name: name.into(), reason: "missing".into() }),
        }
    }

    /// The tensor `name` as a matrix.
    pub(super) fn matrix(&self, name: &str) -> Result<Array2<f32>, ParityError> {
        let (shape, values) = self.tensor(name)?;
        let [rows, columns] = *shape else {
            let reason = format!("has the shape {shape:?} instead of two axes");
            return Err(ParityError::Tensor { name: name.into(), reason });
        };
        Ok(Array2::from_shape_vec((rows, columns), values.to_vec())
            .expect("as many values as the shape says"))
    }

    /// Names of the tensors that start with `prefix`.
    pub(super) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }
}

fn values(name: &str, view: &TensorView) -> Result<Vec<f32>, ParityError> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(numbers(bytes, f32::from_le_bytes)),
        Dtype::F64 => Ok(numbers(bytes, |b| f64::from_le_bytes(b) as f32)),
        Dtype::U8 => Ok(numbers(bytes, |[b]| f32::from(b))),
        other => Err(ParityError::Tensor {
            name: name.into(),
            reason: format!("values of type {other:?} are not supported"),
        }),
    }
}

/// Little-endian numbers of `N` bytes each; safetensors does not align them.
fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}
