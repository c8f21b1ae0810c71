//! Named tensors with texts beside them in one safetensors file, whole or absent, with a checksum of its content.

use crate::Named;
use burn::tensor::{DType, TensorData};
use meanflow_weights::{FileError, SafetensorsFile, StoredTensor, StoredType, write_safetensors};
use std::{collections::HashMap, io, path::Path};

/// What is written beside tensors.
pub type Texts = HashMap<String, String>;

/// Writes `path` whole or not at all.
///
/// # Errors
/// Those of writing; an earlier file of this name is untouched then.
pub fn write(path: &Path, tensors: &Named, texts: Texts) -> io::Result<()> {
    let tensors = tensors.iter().map(|(name, data)| {
        let dtype = stored(data.dtype).expect("parameters are floats and counters");
        let tensor = StoredTensor { dtype, shape: data.shape.to_vec(), bytes: data.as_bytes() };
        (name.as_str(), tensor)
    });
    let tensors = tensors.collect();
    meanflow_files::replace(path, |part| write_safetensors(part, &tensors, texts))
}

/// Reads a file, and compares it with its checksum.
///
/// # Errors
/// See [`StateFile::open`] and [`StateFile::tensors`].
pub fn read(path: &Path) -> Result<(Texts, Named), FileError> {
    let file = StateFile::open(path)?;
    Ok((file.texts(), file.tensors(|_| true)?))
}

/// A file of which the header is read.
#[derive(Debug)]
pub struct StateFile(SafetensorsFile);

impl StateFile {
    /// Reads the header.
    ///
    /// # Errors
    /// [`FileError::Io`], and [`FileError::Broken`] for a file that is no whole safetensors file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        SafetensorsFile::open(path).map(Self)
    }

    /// What is written beside the tensors.
    pub fn texts(&self) -> Texts {
        self.0.metadata()
    }

    /// Whether the file can be compared with a checksum; those of older versions cannot.
    pub fn has_checksum(&self) -> bool {
        self.0.has_checksum()
    }

    /// The tensors that `keep` names. All are compared with the checksum; one that is not kept is never whole in memory.
    ///
    /// # Errors
    /// [`FileError::Io`], and [`FileError::Broken`] for a damaged file or one with a tensor that is neither of floats nor of counters.
    pub fn tensors(mut self, keep: impl Fn(&str) -> bool) -> Result<Named, FileError> {
        let tensor = |(name, StoredTensor { dtype, shape, bytes }): (String, StoredTensor)| {
            let known = burn_type(dtype).ok_or_else(|| {
                FileError::Broken(format!("`{name}`: its element type is {dtype:?}, which no weights are"))
            })?;
            Ok((name, TensorData::from_bytes_vec(bytes, shape, known)))
        };
        self.0.stored(keep)?.into_iter().map(tensor).collect()
    }
}

fn stored(dtype: DType) -> Option<StoredType> {
    Some(match dtype {
        DType::F64 => StoredType::F64,
        DType::F32 => StoredType::F32,
        DType::F16 => StoredType::F16,
        DType::BF16 => StoredType::BF16,
        DType::I64 => StoredType::I64,
        _ => return None,
    })
}

fn burn_type(dtype: StoredType) -> Option<DType> {
    Some(match dtype {
        StoredType::F64 => DType::F64,
        StoredType::F32 => DType::F32,
        StoredType::F16 => DType::F16,
        StoredType::BF16 => DType::BF16,
        StoredType::I64 => DType::I64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_read_is_what_was_written_and_a_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let tensors = Named::from([
            ("net.w".to_owned(), TensorData::new(vec![1.0_f32, -2.0, 0.5, 3.0], [2, 2])),
            ("time".to_owned(), TensorData::new(vec![7_i64], [1])),
        ]);
        let texts = Texts::from([("format".to_owned(), "test".to_owned())]);
        write(&path, &tensors, texts.clone()).unwrap();
        assert_eq!(read(&path).unwrap(), (texts, tensors.clone()));
        let file = StateFile::open(&path).unwrap();
        assert!(file.has_checksum());
        assert_eq!(
            file.tensors(|name| name.starts_with("net.")).unwrap().into_keys().collect::<Vec<_>>(),
            ["net.w"]
        );

        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        // Also where the damaged tensor is not asked for.
        for kept in ["net.", "time", "none"] {
            let file = StateFile::open(&path).unwrap();
            assert!(
                matches!(file.tensors(|name| name.starts_with(kept)), Err(FileError::Broken(_))),
                "{kept}"
            );
        }
    }
}
