//! Files of `torch.save`: since PyTorch 1.6 a zip archive with a pickle and one member a storage, before that pickles with the
//! storages behind them.
//!
//! Only the tensors that are asked for are read. A storage that is shorter than it says is an error, never zeros.

mod legacy;
mod names;
mod write;

use crate::{
    FileError, HostTensor,
    archive::Archive,
    number::Float,
    pickle::{self, Class},
};
use legacy::Storages;
use names::View;
use std::{collections::BTreeMap, path::Path};
pub use write::write_torch;

/// An open file: tensors by the dotted path of dictionary keys that leads to them.
pub struct TorchFile {
    numbers: Numbers,
    tensors: BTreeMap<String, View>,
}

/// Where the storages are.
enum Numbers {
    /// Members of an archive whose names begin like this.
    Members(Box<Archive>, String),
    /// One behind the other.
    Behind(Storages),
}

/// Bytes of a pickle; a checkpoint has some hundred a tensor.
const PICKLE: u64 = 1 << 28;

impl TorchFile {
    /// Reads what tensors there are, in a file of either format.
    ///
    /// # Errors
    /// A file that PyTorch did not write, that is cut short or damaged, or that asks for more than it can be worth.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let (numbers, pickle) = if legacy::begins(path)? {
            let (storages, pickle) = legacy::open(path)?;
            (Numbers::Behind(storages), pickle)
        } else {
            let mut archive = Archive::open(path)?;
            let root = archive.names().find_map(|name| Some(name.strip_suffix("data.pkl")?.to_owned()));
            let root =
                root.ok_or_else(|| FileError::broken("it has no `data.pkl`, so PyTorch did not write it"))?;
            let order = format!("{root}byteorder");
            if archive.member(&order)?.is_some() && archive.read(&order, 16)? != b"little" {
                return Err(FileError::unsupported("its numbers are big-endian"));
            }
            let bytes = archive.read(&format!("{root}data.pkl"), PICKLE)?;
            let pickle = pickle::read(&mut &bytes[..], &mut PICKLE.min(bytes.len() as u64))?;
            (Numbers::Members(Box::new(archive), root), pickle)
        };
        let tensors = names::collect(&pickle)?;
        if tensors.is_empty() {
            return Err(FileError::broken("it holds no tensor under a name"));
        }
        Ok(Self { numbers, tensors })
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// One tensor of floats as f32, in row-major order.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&mut self, name: &str) -> Result<HostTensor, FileError> {
        let view = self.tensors.get(name).ok_or_else(|| FileError::Missing(name.to_owned()))?;
        let number = match view.class {
            Class::Float(number) => number,
            Class::Other(class, _) => {
                return Err(FileError::unsupported(format!(
                    "it is kept in a {class}, which holds no weights"
                )));
            }
        };
        let stored = match &mut self.numbers {
            Numbers::Members(archive, root) => {
                member(archive, &format!("{root}data/{}", view.key), view, number)?
            }
            Numbers::Behind(storages) => storages.read(&view.key, view.count)?,
        };
        view.gather(&number.read(&stored))
    }
}

/// The bytes of a storage in an archive.
fn member(archive: &mut Archive, name: &str, view: &View, number: Float) -> Result<Vec<u8>, FileError> {
    let missing = || FileError::broken(format!("its storage `{name}` is missing"));
    let found = archive.member(name)?.ok_or_else(missing)?;
    if Some(found.size) != view.count.checked_mul(number.size() as u64) {
        let (bytes, count, size) = (found.size, view.count, number.size());
        return Err(FileError::broken(format!(
            "its storage `{name}` has {bytes} bytes, not {count} numbers of {size} bytes"
        )));
    }
    if found.stored_at.is_none() {
        return Err(FileError::unsupported(format!("`{name}` is compressed, which PyTorch does not do")));
    }
    archive.read(name, found.size)
}

#[cfg(test)]
mod tests;
