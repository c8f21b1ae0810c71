//! Files of `torch.save` (PyTorch 1.6 and later): a zip archive with a pickle and one member a storage.
//!
//! Only the tensors that are asked for are read. A storage that is shorter than it says is an error, never zeros.

mod pickle;
mod write;
mod zip;

use burn::tensor::{bf16, f16};
use meanflow_nets::weights::HostTensor;
use pickle::{Id, Pickle, Value};
use std::{collections::BTreeMap, fs::File, path::Path};
pub(crate) use write::write;
use zip::Archive;

/// An open file: tensors by the dotted path of dictionary keys that leads to them.
pub struct TorchFile {
    archive: Archive,
    /// What members of the archive begin with.
    root: String,
    tensors: BTreeMap<String, Described>,
}

/// Where a tensor's numbers lie, in numbers.
#[derive(Clone)]
struct Described {
    class: String,
    key: String,
    count: u64,
    offset: u64,
    shape: Vec<u64>,
    strides: Vec<u64>,
}

/// Dictionaries within dictionaries that are looked into.
const DEPTH: usize = 8;

/// Values that are looked at in all; far above any checkpoint, below what a crafted file could ask for.
const VISITS: usize = 1 << 22;

/// Bytes of a path of keys.
const PATH: usize = 4096;

impl TorchFile {
    /// Reads what tensors there are.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut archive = Archive::open(File::open(path).map_err(|error| error.to_string())?)?;
        let root = archive.names().find_map(|name| Some(name.strip_suffix("data.pkl")?.to_owned()));
        let root = root.ok_or("it has no `data.pkl`, so PyTorch did not write it")?;
        let order = format!("{root}byteorder");
        if archive.size(&order).is_some() && archive.read(&order)? != b"little" {
            return Err("its numbers are big-endian".to_owned());
        }
        let pickle = pickle::read(&archive.read(&format!("{root}data.pkl"))?)?;
        let (mut tensors, mut visits) = (BTreeMap::new(), VISITS);
        collect(&pickle, pickle.root, String::new(), DEPTH, &mut visits, &mut tensors)?;
        if tensors.is_empty() {
            return Err("it holds no tensor under a name".to_owned());
        }
        Ok(Self { archive, root, tensors })
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// One tensor as f32, in row-major order.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(&mut self, name: &str) -> Result<HostTensor, String> {
        let Described { class, key, count, offset, shape, strides } =
            self.tensors.get(name).cloned().ok_or("there is no such tensor")?;
        let number = Number::of(&class)?;
        let member = format!("{}data/{key}", self.root);
        let bytes = self.archive.size(&member).ok_or_else(|| format!("its storage `{member}` is missing"))?;
        if Some(bytes) != count.checked_mul(number.size() as u64) {
            let what = format!("{count} numbers of {} bytes", number.size());
            return Err(format!("its storage `{member}` has {bytes} bytes, not {what}"));
        }
        let beyond = || format!("its shape {shape:?} reaches beyond the {count} numbers of its storage");
        let total = shape.iter().try_fold(1u64, |total, &size| total.checked_mul(size)).ok_or_else(beyond)?;
        let last = shape.iter().zip(&strides).try_fold(offset, |last, (&size, &stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        });
        // A view may repeat numbers (stride 0), but not so often that a small file fills the memory.
        if total > 0 && (last.is_none_or(|last| last >= count) || total > count.max(1 << 20)) {
            return Err(beyond());
        }
        let stored = self.archive.read(&member)?;
        let value = |index: usize| number.read(&stored[index * number.size()..]);
        let (offset, strides) =
            (offset as usize, strides.iter().map(|&stride| stride as usize).collect::<Vec<_>>());
        let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        let values = (0..total as usize).map(|flat| {
            let mut rest = flat;
            let mut index = offset;
            for (size, stride) in shape.iter().zip(&strides).rev() {
                index += rest % size * stride;
                rest /= size;
            }
            value(index)
        });
        Ok(HostTensor { values: values.collect(), shape })
    }
}

/// Adds the tensors below a value.
fn collect(
    pickle: &Pickle,
    id: Id,
    path: String,
    depth: usize,
    visits: &mut usize,
    tensors: &mut BTreeMap<String, Described>,
) -> Result<(), String> {
    *visits = visits.checked_sub(1).ok_or("its dictionaries have too many entries")?;
    match &pickle.values[id] {
        Value::Dict(entries) if depth > 0 => {
            for &(key, value) in entries {
                let Value::Text(key) = &pickle.values[key] else { continue };
                if path.len() + key.len() >= PATH {
                    return Err("it has a name of more than 4096 bytes".to_owned());
                }
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(pickle, value, path, depth - 1, visits, tensors)?;
            }
        }
        Value::Tensor { storage, offset, shape, strides } => {
            let Value::Storage { class, key, count } = &pickle.values[*storage] else {
                return Err(format!("`{path}` has no storage"));
            };
            let described = Described {
                class: class.clone(),
                key: key.clone(),
                count: *count,
                offset: *offset,
                shape: shape.clone(),
                strides: strides.clone(),
            };
            tensors.insert(path, described);
        }
        _ => {}
    }
    Ok(())
}

/// Types of numbers that weights have.
#[derive(Clone, Copy)]
enum Number {
    F64,
    F32,
    F16,
    BF16,
}

impl Number {
    fn of(class: &str) -> Result<Self, String> {
        Ok(match class {
            "torch.DoubleStorage" => Self::F64,
            "torch.FloatStorage" => Self::F32,
            "torch.HalfStorage" => Self::F16,
            "torch.BFloat16Storage" => Self::BF16,
            other => return Err(format!("it is kept in a {other}, which holds no weights")),
        })
    }

    fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// The number that `bytes` begin with.
    fn read(self, bytes: &[u8]) -> f32 {
        let two = || *bytes.first_chunk::<2>().expect("the storage's size was checked");
        let four = || *bytes.first_chunk::<4>().expect("the storage's size was checked");
        let eight = || *bytes.first_chunk::<8>().expect("the storage's size was checked");
        match self {
            Self::F64 => f64::from_le_bytes(eight()) as f32,
            Self::F32 => f32::from_le_bytes(four()),
            Self::F16 => f16::from_le_bytes(two()).to_f32(),
            Self::BF16 => bf16::from_le_bytes(two()).to_f32(),
        }
    }
}

#[cfg(test)]
mod tests;
