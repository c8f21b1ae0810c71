//! A checksum of what a safetensors file says, whatever the order and the padding in which it is stored.

use safetensors::Dtype;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Its key in the metadata of a file.
pub const CHECKSUM: &str = "meanflow.sha256";

/// A sha256 over the metadata and the tensors, in the order of their names.
pub(crate) struct Checksum(Sha256);

impl Checksum {
    /// Begins with the metadata, without a checksum that is in it.
    pub(crate) fn of(metadata: &HashMap<String, String>) -> Self {
        let mut sum = Self(Sha256::new());
        for (key, value) in metadata.iter().filter(|(key, _)| *key != CHECKSUM).collect::<BTreeMap<_, _>>() {
            sum.text(key);
            sum.text(value);
        }
        sum
    }

    /// What is known of the next tensor before its bytes.
    pub(crate) fn tensor(&mut self, name: &str, dtype: Dtype, shape: &[usize]) {
        self.text(name);
        self.text(&format!("{dtype:?} {shape:?}"));
    }

    /// Bytes of the tensor, or a part of them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In hexadecimal.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// With its length, so that no two contents are the same bytes.
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }
}
