//! Checkpoints of Flax in one msgpack file (`flax.serialization.to_bytes`, `flax.training.checkpoints` without Orbax).
//!
//! A map of maps. An array is an extension of type 1 (a scalar: 3) that holds a msgpack array of shape, name of the element
//! type and raw little-endian numbers; an array above 2³⁰ bytes is a map with its flat pieces. The numbers stay on the disk
//! until a tensor is asked for.

use crate::{FileError, HostTensor, number::Float};
use rmp::Marker;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// An open file: tensors by the dotted path of keys that leads to them.
pub struct FlaxFile {
    file: BufReader<File>,
    tensors: BTreeMap<String, Described>,
}

/// Where a tensor's numbers lie.
#[derive(Clone)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    /// Offset and length in bytes of each piece.
    pieces: Vec<(u64, u64)>,
}

/// What a path leads to.
enum Leaf {
    Array(Described),
    Integer(u64),
    Other,
}

/// The key that marks an array in pieces.
const CHUNKED: &str = "__msgpack_chunked_array__";

/// Bytes of a path of keys.
const PATH: u64 = 4096;

/// Bytes of all paths, with [`EACH`] for each value: a long key may be shared by many short ones.
const PATHS: u64 = 1 << 26;
const EACH: u64 = 64;

/// Maps within maps.
const DEPTH: usize = 64;

impl FlaxFile {
    /// Whether a file that begins so can be one: a map with up to 15 entries, or with a length of its own.
    pub fn begins(start: &[u8]) -> bool {
        matches!(start.first(), Some(0x81..=0x8f | 0xde | 0xdf))
    }

    /// Reads what tensors there are.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = meanflow_files::open(path)?;
        let length = file.metadata()?.len();
        let mut reader =
            Reader { file: BufReader::new(file), at: 0, length, left: PATHS, leaves: BTreeMap::new() };
        reader.value(String::new(), DEPTH)?;
        if reader.at != length {
            return Err(FileError::broken(format!("{} bytes follow its map", length - reader.at)));
        }
        let Reader { file, mut leaves, .. } = reader;
        let chunked: BTreeSet<String> =
            leaves.keys().filter_map(|path| Some(path.strip_suffix(CHUNKED)?.to_owned())).collect();
        let arrays = chunked
            .iter()
            .map(|prefix| {
                Ok((prefix.trim_end_matches('.').to_owned(), Leaf::Array(joined(&leaves, prefix)?)))
            })
            .collect::<Result<Vec<_>, FileError>>()?;
        let is_piece = |path: &str| {
            path.match_indices('.').any(|(end, _)| chunked.contains(&path[..=end])) || chunked.contains("")
        };
        leaves.retain(|path, _| !is_piece(path));
        leaves.extend(arrays);
        let array = |(path, leaf)| match leaf {
            Leaf::Array(array) => Some((path, array)),
            Leaf::Integer(_) | Leaf::Other => None,
        };
        let tensors: BTreeMap<String, Described> = leaves.into_iter().filter_map(array).collect();
        if tensors.is_empty() {
            return Err(FileError::broken("it holds no array under a name"));
        }
        Ok(Self { file, tensors })
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// One tensor as f32, in row-major order.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(&mut self, name: &str) -> Result<HostTensor, FileError> {
        let Described { dtype, shape, pieces } =
            self.tensors.get(name).ok_or_else(|| FileError::Missing(name.to_owned()))?.clone();
        let number = match dtype.as_str() {
            "float64" => Float::F64,
            "float32" => Float::F32,
            "float16" => Float::F16,
            "bfloat16" => Float::Bf16,
            other => {
                return Err(FileError::unsupported(format!("its numbers are {other}, which no weights are")));
            }
        };
        let size = number.size();
        let found: u64 = pieces.iter().map(|piece| piece.1).sum();
        let needed = shape.iter().try_fold(size as u64, |bytes, &n| bytes.checked_mul(n as u64));
        if needed != Some(found) {
            return Err(FileError::broken(format!(
                "its shape {shape:?} of {dtype} does not fit its {found} bytes"
            )));
        }
        let mut values = Vec::with_capacity(found as usize / size);
        for (offset, length) in pieces {
            let mut bytes = vec![0; length as usize];
            self.file.seek(SeekFrom::Start(offset))?;
            self.file.read_exact(&mut bytes)?;
            values.extend(number.read(&bytes));
        }
        Ok(HostTensor { shape, values })
    }
}

/// The array whose pieces are under `prefix`.
fn joined(leaves: &BTreeMap<String, Leaf>, prefix: &str) -> Result<Described, FileError> {
    let numbered = |part: &str| {
        let prefix = format!("{prefix}{part}.");
        (0usize..).map_while(move |index| leaves.get(&format!("{prefix}{index}")))
    };
    let shape = numbered("shape").filter_map(|leaf| match leaf {
        Leaf::Integer(size) => Some(*size as usize),
        Leaf::Array(_) | Leaf::Other => None,
    });
    let mut dtype = String::new();
    let mut pieces = Vec::new();
    for leaf in numbered("chunks") {
        let Leaf::Array(piece) = leaf else {
            return Err(FileError::broken(format!("`{prefix}` has a piece that is no array")));
        };
        if !pieces.is_empty() && piece.dtype != dtype {
            return Err(FileError::broken(format!(
                "`{prefix}` has pieces of {dtype} and of {}",
                piece.dtype
            )));
        }
        dtype.clone_from(&piece.dtype);
        pieces.extend(&piece.pieces);
    }
    Ok(Described { dtype, shape: shape.collect(), pieces })
}

/// Walks through a file and notes what it meets.
struct Reader {
    file: BufReader<File>,
    at: u64,
    length: u64,
    /// Of [`PATHS`].
    left: u64,
    leaves: BTreeMap<String, Leaf>,
}

impl Reader {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        self.file
            .read_exact(&mut bytes)
            .map_err(|_| FileError::broken(format!("it is cut short: it ends at byte {}", self.length)))?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn marker(&mut self) -> Result<Marker, FileError> {
        Ok(Marker::from_u8(self.bytes::<1>()?[0]))
    }

    fn u8(&mut self) -> Result<u64, FileError> {
        Ok(self.bytes::<1>()?[0].into())
    }

    fn u16(&mut self) -> Result<u64, FileError> {
        Ok(u16::from_be_bytes(self.bytes()?).into())
    }

    fn u32(&mut self) -> Result<u64, FileError> {
        Ok(u32::from_be_bytes(self.bytes()?).into())
    }

    fn skip(&mut self, count: u64) -> Result<(), FileError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| {
            let (at, length) = (self.at, self.length);
            FileError::broken(format!("it is cut short: {count} bytes at {at} of a file of {length}"))
        })?;
        self.file.seek_relative(count as i64)?;
        self.at = end;
        Ok(())
    }

    fn text(&mut self, length: u64) -> Result<String, FileError> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes).map_err(|_| FileError::broken("it is cut short within a name"))?;
        self.at += length;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads one value; `path` leads to it.
    fn value(&mut self, path: String, depth: usize) -> Result<(), FileError> {
        let many = || FileError::too_large("its maps have too many entries");
        self.left = self.left.checked_sub(EACH + path.len() as u64).ok_or_else(many)?;
        let marker = self.marker()?;
        let leaf = match marker {
            Marker::FixMap(count) => return self.map(path, count.into(), depth),
            Marker::Map16 => {
                let count = self.u16()?;
                return self.map(path, count, depth);
            }
            Marker::Map32 => {
                let count = self.u32()?;
                return self.map(path, count, depth);
            }
            Marker::FixPos(value) => Leaf::Integer(value.into()),
            Marker::U8 => Leaf::Integer(self.u8()?),
            Marker::U16 => Leaf::Integer(self.u16()?),
            Marker::U32 => Leaf::Integer(self.u32()?),
            Marker::U64 => Leaf::Integer(u64::from_be_bytes(self.bytes()?)),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => {
                let length = self.u8()?;
                self.extension(length)?
            }
            Marker::Ext16 => {
                let length = self.u16()?;
                self.extension(length)?
            }
            Marker::Ext32 => {
                let length = self.u32()?;
                self.extension(length)?
            }
            other => {
                self.other(other)?;
                Leaf::Other
            }
        };
        match self.leaves.insert(path.clone(), leaf) {
            None => Ok(()),
            Some(_) => Err(FileError::broken(format!("it has the name `{path}` twice"))),
        }
    }

    /// Passes over a value that is neither a map nor a number of use here.
    fn other(&mut self, marker: Marker) -> Result<(), FileError> {
        let length = match marker {
            Marker::Null | Marker::True | Marker::False | Marker::FixNeg(_) => 0,
            Marker::I8 => 1,
            Marker::I16 => 2,
            Marker::I32 | Marker::F32 => 4,
            Marker::I64 | Marker::F64 => 8,
            Marker::FixStr(length) => length.into(),
            Marker::Str8 | Marker::Bin8 => self.u8()?,
            Marker::Str16 | Marker::Bin16 => self.u16()?,
            Marker::Str32 | Marker::Bin32 => self.u32()?,
            other => {
                return Err(FileError::broken(format!(
                    "{other:?} at byte {}, which no checkpoint of Flax has",
                    self.at
                )));
            }
        };
        self.skip(length)
    }

    fn map(&mut self, path: String, count: u64, depth: usize) -> Result<(), FileError> {
        let depth =
            depth.checked_sub(1).ok_or_else(|| FileError::too_large("its maps are nested too deeply"))?;
        for _ in 0..count {
            let length = match self.marker()? {
                Marker::FixStr(length) => length.into(),
                Marker::Str8 => self.u8()?,
                Marker::Str16 => self.u16()?,
                other => {
                    return Err(FileError::broken(format!(
                        "a key at byte {} is {other:?}, not text",
                        self.at
                    )));
                }
            };
            if path.len() as u64 + length >= PATH {
                return Err(FileError::too_large("it has a name of more than 4096 bytes"));
            }
            let key = self.text(length)?;
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            self.value(path, depth)?;
        }
        Ok(())
    }

    /// An extension of so many bytes: an array, or something that is passed over.
    fn extension(&mut self, length: u64) -> Result<Leaf, FileError> {
        let kind = self.u8()?;
        let end = self.at + length;
        if !matches!(kind, 1 | 3) {
            self.skip(length)?;
            return Ok(Leaf::Other);
        }
        let broken = |at: u64| FileError::broken(format!("the array at byte {at} is broken"));
        if self.marker()? != Marker::FixArray(3) {
            return Err(broken(self.at));
        }
        let count = match self.marker()? {
            Marker::FixArray(count) => count,
            _ => return Err(broken(self.at)),
        };
        let mut shape = Vec::new();
        for _ in 0..count {
            let size = match self.marker()? {
                Marker::FixPos(size) => size.into(),
                Marker::U8 => self.u8()?,
                Marker::U16 => self.u16()?,
                Marker::U32 => self.u32()?,
                _ => return Err(broken(self.at)),
            };
            shape.push(size as usize);
        }
        let Marker::FixStr(name) = self.marker()? else { return Err(broken(self.at)) };
        let dtype = self.text(name.into())?;
        let bytes = match self.marker()? {
            Marker::Bin8 => self.u8()?,
            Marker::Bin16 => self.u16()?,
            Marker::Bin32 => self.u32()?,
            _ => return Err(broken(self.at)),
        };
        let pieces = vec![(self.at, bytes)];
        self.skip(bytes)?;
        if self.at != end {
            return Err(broken(self.at));
        }
        Ok(Leaf::Array(Described { dtype, shape, pieces }))
    }
}

#[cfg(test)]
mod tests;
