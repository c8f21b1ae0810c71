//! The format before PyTorch 1.6: five pickles (a magic number, a protocol number, notes on the system, the object, the keys of its
//! storages) and then every storage: its count as u64, its numbers.

use super::PICKLE;
use crate::{
    FileError,
    pickle::{self, Pickle, Value},
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// `torch.serialization.MAGIC_NUMBER`, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The storages of a file, by name.
pub(super) struct Storages {
    file: BufReader<File>,
    places: HashMap<String, Place>,
}

/// Where the numbers of a storage lie.
struct Place {
    at: u64,
    bytes: u64,
    count: u64,
}

/// Whether the file begins with a pickle.
pub(super) fn begins(path: &Path) -> Result<bool, FileError> {
    let mut start = Vec::new();
    meanflow_files::open(path)?.take(1).read_to_end(&mut start)?;
    Ok(start == [0x80])
}

/// Reads the pickles and where the storages are.
pub(super) fn open(path: &Path) -> Result<(Storages, Pickle), FileError> {
    let file = meanflow_files::open(path)?;
    let length = file.metadata()?.len();
    let mut file = BufReader::new(file);
    let mut left = length.min(PICKLE);
    let mut next = || pickle::read(&mut file, &mut left);
    let magic = next()?;
    if magic.values[magic.root] != Value::Long(MAGIC.to_vec()) {
        return Err(FileError::broken("it is a pickle, but PyTorch did not write it"));
    }
    let (_protocol, _system) = (next()?, next()?);
    let (object, keys) = (next()?, next()?);
    let classes: HashMap<&str, _> = object
        .values
        .iter()
        .filter_map(|value| match value {
            Value::Storage { class, key, .. } => match &object.values[*key] {
                Value::Text(key) => Some((key.as_str(), *class)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let Value::List(order) = &keys.values[keys.root] else {
        return Err(FileError::broken("it has no list of storages"));
    };
    let mut places = HashMap::new();
    let mut at = file.stream_position()?;
    for &key in order {
        let Value::Text(key) = &keys.values[key] else {
            return Err(FileError::broken("it names a storage by something other than text"));
        };
        let class = classes
            .get(key.as_str())
            .ok_or_else(|| FileError::broken(format!("it lists the storage {key}, which no tensor uses")))?;
        let cut = || FileError::broken(format!("it is cut short: the file ends at byte {length}"));
        let mut count = [0; 8];
        file.read_exact(&mut count).map_err(|_| cut())?;
        let count = u64::from_le_bytes(count);
        if class.size() == 0 {
            return Err(FileError::unsupported(format!(
                "its storage {key} holds numbers of an unknown type"
            )));
        }
        let bytes = count.checked_mul(class.size() as u64).ok_or_else(cut)?;
        at += 8;
        let place = Place { at, bytes, count };
        at = at.checked_add(bytes).filter(|&end| end <= length).ok_or_else(cut)?;
        file.seek_relative(bytes as i64)?;
        places.insert(key.clone(), place);
    }
    Ok((Storages { file, places }, object))
}

impl Storages {
    /// The bytes of a storage of `count` numbers.
    pub fn read(&mut self, key: &str, count: u64) -> Result<Vec<u8>, FileError> {
        let place = self
            .places
            .get(key)
            .ok_or_else(|| FileError::broken(format!("its storage `{key}` is missing")))?;
        if place.count != count {
            let found = place.count;
            return Err(FileError::broken(format!("its storage `{key}` has {found} numbers, not {count}")));
        }
        let mut bytes = vec![0; place.bytes as usize];
        self.file.seek(SeekFrom::Start(place.at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
