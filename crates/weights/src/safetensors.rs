//! Safetensors files. One that is written here has a checksum of its content in its metadata; a file that has one is compared with
//! it when it is read as a whole.

use crate::{
    FileError, HostTensor,
    checksum::{CHECKSUM, Checksum},
    number::Float,
};
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo, TensorView},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// An open file; numbers stay on the disk until a tensor is asked for.
pub struct SafetensorsFile {
    file: BufReader<File>,
    header: Metadata,
    names: Vec<String>,
    /// Where the numbers begin.
    start: u64,
}

/// A tensor as it is stored: little-endian bytes, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor<Bytes = Vec<u8>> {
    /// Type of an element.
    pub dtype: Dtype,
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
    /// Its elements.
    pub bytes: Bytes,
}

/// Bytes of a header that are read; the library reads no more either.
const HEADER: u64 = 100_000_000;

/// Bytes of a tensor that is compared and not kept, which are in memory at once.
const BLOCK: usize = 1 << 20;

impl fmt::Debug for SafetensorsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a safetensors file of {} tensors", self.names.len())
    }
}

impl SafetensorsFile {
    /// Reads the header and compares it with the length of the file.
    ///
    /// # Errors
    /// A file that is no safetensors file, or cut short.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let foreign =
            |reason: String| FileError::broken(format!("it is no whole safetensors file ({reason})"));
        let file = meanflow_files::open(path)?;
        let length = file.metadata()?.len();
        let mut file = BufReader::new(file);
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(|_| foreign(format!("it has {length} bytes")))?;
        let size = u64::from_le_bytes(start);
        if size > HEADER || size > length - 8 {
            return Err(foreign(format!("its header would have {size} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        file.read_exact(&mut bytes)?;
        let header: Metadata = serde_json::from_slice(&bytes).map_err(|error| foreign(error.to_string()))?;
        let start = 8 + size;
        let expected = start + header.data_len() as u64;
        if expected != length {
            return Err(foreign(format!("it has {length} bytes, its header needs {expected}")));
        }
        Ok(Self { file, names: header.offset_keys(), header, start })
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The texts that stand beside the tensors, without the checksum.
    pub fn metadata(&self) -> HashMap<String, String> {
        let mut metadata = self.header.metadata().clone().unwrap_or_default();
        metadata.remove(CHECKSUM);
        metadata
    }

    /// Whether the file can be compared with a checksum.
    pub fn has_checksum(&self) -> bool {
        self.header.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(CHECKSUM))
    }

    /// One tensor of floats as f32.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&mut self, name: &str) -> Result<HostTensor, FileError> {
        let info = self.header.info(name).ok_or_else(|| FileError::Missing(name.to_owned()))?;
        let TensorInfo { dtype, shape, data_offsets: (begin, end) } = info.clone();
        let number = match dtype {
            Dtype::F64 => Float::F64,
            Dtype::F32 => Float::F32,
            Dtype::F16 => Float::F16,
            Dtype::BF16 => Float::Bf16,
            other => {
                let reason = format!("its element type is {other:?}, which no weights are");
                return Err(FileError::unsupported(reason));
            }
        };
        self.seek(begin)?;
        let mut bytes = vec![0; end - begin];
        self.file.read_exact(&mut bytes)?;
        Ok(HostTensor { shape, values: number.read(&bytes) })
    }

    /// The tensors that `keep` names, as they are stored. All are compared with the checksum, if there is one; a tensor that is not
    /// kept is never whole in memory.
    ///
    /// # Errors
    /// [`FileError::Broken`] if the content is not what the checksum says.
    pub fn stored(
        &mut self,
        keep: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, StoredTensor>, FileError> {
        let metadata = self.header.metadata().clone().unwrap_or_default();
        let expected = metadata.get(CHECKSUM);
        let mut sum = expected.map(|_| Checksum::of(&metadata));
        let infos: BTreeMap<String, TensorInfo> =
            self.header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        let mut tensors = BTreeMap::new();
        for (name, TensorInfo { dtype, shape, data_offsets: (begin, end) }) in infos {
            if let Some(sum) = &mut sum {
                sum.tensor(&name, dtype, &shape);
            }
            if keep(&name) {
                self.seek(begin)?;
                let mut bytes = vec![0; end - begin];
                self.file.read_exact(&mut bytes)?;
                if let Some(sum) = &mut sum {
                    sum.bytes(&bytes);
                }
                tensors.insert(name, StoredTensor { dtype, shape, bytes });
            } else if let Some(sum) = &mut sum {
                self.seek(begin)?;
                pass_over(&mut self.file, end - begin, sum)?;
            }
        }
        match (sum.map(Checksum::finish), expected) {
            (Some(found), Some(expected)) if found != *expected => Err(FileError::broken(
                "its content is not what its checksum says: it is damaged, or another program has changed it",
            )),
            _ => Ok(tensors),
        }
    }

    fn seek(&mut self, offset: usize) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.start + offset as u64)).map(drop)
    }
}

/// Adds the next bytes of a file to a checksum.
fn pass_over(file: &mut impl Read, length: usize, sum: &mut Checksum) -> io::Result<()> {
    let mut block = vec![0; length.min(BLOCK)];
    let mut left = length;
    while left > 0 {
        let part = &mut block[..left.min(BLOCK)];
        file.read_exact(part)?;
        sum.bytes(part);
        left -= part.len();
    }
    Ok(())
}

/// Writes tensors and texts to a new file, with a checksum of both. The caller sees to it that a file is whole or absent.
///
/// # Errors
/// Those of writing.
///
/// # Panics
/// If the bytes of a tensor do not fill its shape.
pub fn write_safetensors(
    path: &Path,
    tensors: &BTreeMap<&str, StoredTensor<&[u8]>>,
    mut metadata: HashMap<String, String>,
) -> io::Result<()> {
    let mut sum = Checksum::of(&metadata);
    for (name, StoredTensor { dtype, shape, bytes }) in tensors {
        sum.tensor(name, *dtype, shape);
        sum.bytes(bytes);
    }
    metadata.insert(CHECKSUM.to_owned(), sum.finish());
    let views = tensors.iter().map(|(name, StoredTensor { dtype, shape, bytes })| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor's bytes fill its shape"))
    });
    // The library makes files that the user alone may read; the umask should decide, as for other files.
    let permissions = File::create(path)?.metadata()?.permissions();
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(io::Error::other)?;
    fs::set_permissions(path, permissions)
}
