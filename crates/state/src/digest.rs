//! Digests of named tensors, so that two states can be compared to the bit.

use burn::tensor::TensorData;
use sha2::{Digest as _, Sha256};

/// A sha256 over tensors and numbers.
#[derive(Clone, Debug, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// With these tensors: of each the name, the element type, the shape and the little-endian bytes. The order counts; that of
    /// [`Named`](crate::Named) is by name.
    pub fn tensors<'a>(mut self, tensors: impl Iterator<Item = (&'a str, &'a TensorData)>) -> Self {
        for (name, data) in tensors {
            self.0.update(format!("{name}\0{:?}\0{:?}\0", data.dtype, data.shape.to_vec()));
            self.0.update(data.as_bytes());
        }
        self
    }

    /// With this number.
    pub fn number(mut self, number: u64) -> Self {
        self.0.update(number.to_le_bytes());
        self
    }

    /// In hexadecimal.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
