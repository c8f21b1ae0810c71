//! Weights by name, from a PyTorch state dict or a safetensors file.

use std::{collections::BTreeMap, path::Path};

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::pickle;
use crate::InputError;

/// A tensor of floats on the host, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// The shape.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f32>,
}

/// The weights of a network under the names of their file.
#[derive(Clone, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, HostTensor>,
    source: std::path::PathBuf,
    digest: String,
}

impl Weights {
    /// Reads a `.safetensors` file, or the state dict in a `.pth` file of PyTorch's older format (before 1.6). Nothing in the
    /// file is executed. Tensors of integers are left out.
    ///
    /// # Errors
    /// A file that cannot be read, is truncated or of another format.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let bytes = std::fs::read(path).map_err(InputError::read(path))?;
        let digest = format!("{:x}", Sha256::digest(&bytes));
        let safe = path.extension().is_some_and(|ending| ending == "safetensors");
        let tensors = if safe { safetensors(&bytes) } else { pickle::state_dict(&bytes) };
        let tensors = tensors.map_err(|reason| InputError::invalid(path, "the weights", reason))?;
        Ok(Self { tensors, source: path.to_owned(), digest })
    }

    /// Weights that are in memory already.
    pub fn new(tensors: BTreeMap<String, HostTensor>) -> Self {
        Self { tensors, source: "memory".into(), digest: String::new() }
    }

    /// sha256 (hex) of the file; empty for weights from memory.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The values of the tensor `name`, which must have this shape and be finite.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape, or holds a NaN or an infinity.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], InputError> {
        let invalid = |reason: String| Err(InputError::invalid(&self.source, name, reason));
        let Some(tensor) = self.tensors.get(name) else { return invalid("is missing".to_owned()) };
        if tensor.shape != shape {
            return invalid(format!("has the shape {:?} instead of {shape:?}", tensor.shape));
        }
        match tensor.values.iter().position(|value| !value.is_finite()) {
            Some(at) => invalid(format!("holds {} at {at}", tensor.values[at])),
            None => Ok(&tensor.values),
        }
    }
}

fn safetensors(bytes: &[u8]) -> Result<BTreeMap<String, HostTensor>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let values = match view.dtype() {
            Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F64 => view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            Dtype::I64 | Dtype::I32 => continue,
            other => return Err(format!("{name} holds {other:?}; f32 or f64 are wanted")),
        };
        tensors.insert(name.to_owned(), HostTensor { shape: view.shape().to_vec(), values });
    }
    Ok(tensors)
}
