//! The tensors of a pickle by name.

use crate::{
    FileError, HostTensor,
    pickle::{Class, Id, Pickle, Value},
};
use std::collections::BTreeMap;

/// A tensor as a view into a storage.
pub(super) struct View {
    pub class: Class,
    /// Name of the storage.
    pub key: String,
    /// Numbers of the storage.
    pub count: u64,
    offset: u64,
    shape: Vec<u64>,
    strides: Vec<u64>,
}

/// Dictionaries within dictionaries that are looked into.
const DEPTH: usize = 8;

/// Bytes of a path of keys.
const PATH: usize = 4096;

/// Bytes of all paths, with [`EACH`] for each value. Dictionaries may be shared, so that a small pickle can have far more paths
/// than bytes; a checkpoint has some thousands.
const PATHS: usize = 1 << 26;
const EACH: usize = 64;

/// A view of stride 0 repeats numbers; it may have this many where its storage has fewer.
const REPEATED: u64 = 1 << 20;

/// All tensors under keys of text, by the path of keys.
pub(super) fn collect(pickle: &Pickle) -> Result<BTreeMap<String, View>, FileError> {
    let mut walk = Walk { pickle, left: PATHS, above: Vec::new(), tensors: BTreeMap::new() };
    walk.value(pickle.root, String::new())?;
    Ok(walk.tensors)
}

struct Walk<'a> {
    pickle: &'a Pickle,
    left: usize,
    /// The dictionaries that lead here.
    above: Vec<Id>,
    tensors: BTreeMap<String, View>,
}

impl Walk<'_> {
    fn value(&mut self, id: Id, path: String) -> Result<(), FileError> {
        let many = || FileError::too_large("its dictionaries have too many entries");
        self.left = self.left.checked_sub(EACH + path.len()).ok_or_else(many)?;
        match &self.pickle.values[id] {
            Value::Dict(_) if self.above.contains(&id) => {
                Err(FileError::broken(format!("the dictionary `{path}` is within itself")))
            }
            Value::Dict(entries) if self.above.len() < DEPTH => {
                self.above.push(id);
                for &(key, value) in entries {
                    let Value::Text(key) = &self.pickle.values[key] else { continue };
                    if path.len() + key.len() >= PATH {
                        return Err(FileError::too_large("it has a name of more than 4096 bytes"));
                    }
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.value(value, path)?;
                }
                self.above.pop();
                Ok(())
            }
            Value::Tensor { storage, offset, shape, strides } => {
                let Value::Storage { class, key, count } = &self.pickle.values[*storage] else {
                    return Err(FileError::broken(format!("`{path}` has no storage")));
                };
                let Value::Text(key) = &self.pickle.values[*key] else {
                    return Err(FileError::broken(format!("the storage of `{path}` has no name")));
                };
                if key.len() >= PATH {
                    return Err(FileError::too_large("it has a storage with a name of more than 4096 bytes"));
                }
                self.left = self.left.checked_sub(key.len()).ok_or_else(many)?;
                let (class, key, count, offset) = (*class, key.clone(), *count, *offset);
                let view = View { class, key, count, offset, shape: shape.clone(), strides: strides.clone() };
                self.tensors.insert(path, view);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl View {
    /// The tensor, of the numbers of its storage.
    pub fn gather(&self, stored: &[f32]) -> Result<HostTensor, FileError> {
        let Self { offset, shape, strides, .. } = self;
        let count = stored.len() as u64;
        let beyond = || {
            FileError::broken(format!(
                "its shape {shape:?} reaches beyond the {count} numbers of its storage"
            ))
        };
        let total = shape.iter().try_fold(1u64, |total, &size| total.checked_mul(size)).ok_or_else(beyond)?;
        let last = shape.iter().zip(strides).try_fold(*offset, |last, (&size, &stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        });
        if total > 0 && last.is_none_or(|last| last >= count) {
            return Err(beyond());
        }
        if total > count.max(REPEATED) {
            return Err(FileError::too_large(format!(
                "its shape {shape:?} repeats the {count} numbers of its storage too often"
            )));
        }
        let strides: Vec<usize> = strides.iter().map(|&stride| stride as usize).collect();
        let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        let values = (0..total as usize).map(|flat| {
            let (mut rest, mut index) = (flat, *offset as usize);
            for (size, stride) in shape.iter().zip(&strides).rev() {
                index += rest % size * stride;
                rest /= size;
            }
            stored[index]
        });
        Ok(HostTensor { values: values.collect(), shape })
    }
}
