//! Weights by name, from a PyTorch state dict or a safetensors file.

use std::{collections::BTreeMap, io, path::Path};

use meanflow_weights::{FileError, HostTensor, TensorFile};
use sha2::{Digest, Sha256};

use crate::InputError;

/// The weights of a network under the names of their file.
#[derive(Clone, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, HostTensor>,
    source: std::path::PathBuf,
    digest: String,
}

impl Weights {
    /// Reads a safetensors file, or the state dict in a file of PyTorch, of either format. Nothing in the file is executed. Tensors
    /// of integers are left out.
    ///
    /// # Errors
    /// A file that cannot be read, is truncated or of another format.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let mut hash = Sha256::new();
        let hashed = meanflow_files::open(path).and_then(|mut file| io::copy(&mut file, &mut hash));
        hashed.map_err(InputError::read(path))?;
        let tensors =
            TensorFile::open(path).and_then(|mut file| file.floats()).map_err(|error| match error {
                FileError::Io(error) => InputError::read(path)(error),
                other => InputError::invalid(path, "the weights", other),
            })?;
        Ok(Self { tensors, source: path.to_owned(), digest: format!("{:x}", hash.finalize()) })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The zip format of PyTorch, in which weights of Inception may be saved again.
    #[test]
    fn a_zip_file_of_pytorch_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pth");
        let tensor = HostTensor { shape: vec![2, 1], values: vec![0.5, -2.0] };
        let tensors = BTreeMap::from([("Mixed_5b.branch1x1.conv.weight".to_owned(), tensor)]);
        meanflow_weights::write_torch(&path, &tensors).unwrap();
        let weights = Weights::read(&path).unwrap();
        assert_eq!(weights.get("Mixed_5b.branch1x1.conv.weight", &[2, 1]).unwrap(), [0.5, -2.0]);
        assert_eq!(weights.digest(), format!("{:x}", Sha256::digest(std::fs::read(&path).unwrap())));
    }
}
