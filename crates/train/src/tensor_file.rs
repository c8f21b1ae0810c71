//! Named tensors with metadata in one safetensors file, written aside, synced and renamed. A checksum of the content is in
//! the metadata; a file that has one is compared with it when it is read.

use crate::{
    TrainError,
    checksum::{self, Checksum},
    folder::replace,
};
use burn::tensor::{DType, TensorData};
use meanflow_optim::state::Named;
use safetensors::{
    Dtype,
    tensor::{Metadata as Header, TensorView},
};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// What is written beside tensors.
pub(crate) type Metadata = HashMap<String, String>;

/// Writes `path` whole or not at all.
pub(crate) fn write(path: &Path, tensors: &Named, mut metadata: Metadata) -> Result<(), TrainError> {
    let stored = |data: &TensorData| dtype(data.dtype).expect("parameters are floats and counters");
    let mut sum = Checksum::of(&metadata);
    for (name, data) in tensors {
        sum.tensor(name, stored(data), data.shape.as_slice());
        sum.bytes(data.as_bytes());
    }
    metadata.insert(checksum::KEY.to_owned(), sum.finish());
    let views = tensors.iter().map(|(name, data)| {
        let view = TensorView::new(stored(data), data.shape.to_vec(), data.as_bytes());
        (name, view.expect("a tensor's bytes fill its shape"))
    });
    replace(path, |part| {
        // The library makes files that the user alone may read; the umask should decide, as for the other files of a run.
        let permissions = File::create(part)?.metadata()?.permissions();
        safetensors::serialize_to_file(views, Some(metadata), part).map_err(io::Error::other)?;
        fs::set_permissions(part, permissions)
    })
}

/// Reads a file; `broken` makes an error of what is wrong with it.
pub(crate) fn read(
    path: &Path,
    broken: impl Fn(String) -> TrainError,
) -> Result<(Metadata, Named), TrainError> {
    let file = TensorFile::open(path, &broken)?;
    let metadata = file.metadata();
    Ok((metadata, file.tensors(|_| true, &broken)?))
}

/// Tensors, or what is wrong with them.
type Tried = BTreeMap<String, Result<TensorData, String>>;

/// Bytes of a header at most, as in the format's own library.
const LONGEST: u64 = 100_000_000;

/// A file of which the header is read.
#[derive(Debug)]
pub(crate) struct TensorFile<'a> {
    path: &'a Path,
    file: File,
    /// Where the tensors begin.
    start: u64,
    header: Header,
}

impl<'a> TensorFile<'a> {
    /// Reads the header.
    pub(crate) fn open(path: &'a Path, broken: &dyn Fn(String) -> TrainError) -> Result<Self, TrainError> {
        let mut file = File::open(path).map_err(TrainError::read(path))?;
        let length = file.metadata().map_err(TrainError::read(path))?.len();
        let mut size = [0; 8];
        if length < 8 {
            return Err(broken(foreign("it has no header")));
        }
        file.read_exact(&mut size).map_err(TrainError::read(path))?;
        let start = u64::from_le_bytes(size).saturating_add(8);
        if start > length || start > LONGEST {
            return Err(broken(foreign("it ends before its header does")));
        }
        let mut header = Vec::new();
        (&mut file).take(start - 8).read_to_end(&mut header).map_err(TrainError::read(path))?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|error| broken(foreign(&error.to_string())))?;
        let (found, said) = (length - start, header.data_len() as u64);
        if found != said {
            return Err(broken(foreign(&format!("{found} bytes of tensors, its header says {said}"))));
        }
        Ok(Self { path, file, start, header })
    }

    /// What is written beside the tensors, without the checksum.
    pub(crate) fn metadata(&self) -> Metadata {
        let mut metadata = self.header.metadata().clone().unwrap_or_default();
        metadata.remove(checksum::KEY);
        metadata
    }

    /// Whether the file can be compared with a checksum.
    pub(crate) fn has_checksum(&self) -> bool {
        self.header.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(checksum::KEY))
    }

    /// The tensors that `keep` names. All are compared with the checksum; one that is not kept is never whole in memory.
    pub(crate) fn tensors(
        self,
        keep: impl Fn(&str) -> bool,
        broken: &dyn Fn(String) -> TrainError,
    ) -> Result<Named, TrainError> {
        let tensor = |(name, data): (String, Result<TensorData, String>)| match data {
            Ok(data) => Ok((name, data)),
            Err(reason) => Err(broken(format!("`{name}`: {reason}"))),
        };
        self.read(keep, burn_dtype, broken)?.into_iter().map(tensor).collect()
    }

    fn read(
        mut self,
        keep: impl Fn(&str) -> bool,
        known: impl Fn(Dtype) -> Option<DType>,
        broken: &dyn Fn(String) -> TrainError,
    ) -> Result<Tried, TrainError> {
        let metadata = self.header.metadata().clone().unwrap_or_default();
        let expected = metadata.get(checksum::KEY);
        let mut sum = expected.map(|_| Checksum::of(&metadata));
        let mut tensors = Tried::new();
        let infos: BTreeMap<_, _> = self.header.tensors().into_iter().collect();
        for (name, info) in infos {
            let (from, to) = info.data_offsets;
            if let Some(sum) = &mut sum {
                sum.tensor(&name, info.dtype, &info.shape);
            }
            let kept = keep(&name).then(|| known(info.dtype));
            if sum.is_some() || matches!(kept, Some(Some(_))) {
                self.file
                    .seek(SeekFrom::Start(self.start + from as u64))
                    .map_err(TrainError::read(self.path))?;
            }
            if let Some(Some(dtype)) = kept {
                let mut bytes = vec![0; to - from];
                self.file.read_exact(&mut bytes).map_err(TrainError::read(self.path))?;
                if let Some(sum) = &mut sum {
                    sum.bytes(&bytes);
                }
                tensors.insert(name, Ok(TensorData::from_bytes_vec(bytes, info.shape.clone(), dtype)));
            } else {
                if let Some(sum) = &mut sum {
                    pass_over(&mut self.file, to - from, sum).map_err(TrainError::read(self.path))?;
                }
                if kept.is_some() {
                    let reason = format!("its element type is {:?}, which no weights are", info.dtype);
                    tensors.insert(name, Err(reason));
                }
            }
        }
        match (sum.map(Checksum::finish), expected) {
            (Some(found), Some(expected)) if found != *expected => Err(broken(
                "its content is not what its checksum says: it is damaged, or another program has changed it"
                    .to_owned(),
            )),
            _ => Ok(tensors),
        }
    }
}

/// Adds the next bytes of a file to a checksum.
fn pass_over(file: &mut File, length: usize, sum: &mut Checksum) -> io::Result<()> {
    let mut block = vec![0; length.min(1 << 20)];
    let mut left = length;
    while left > 0 {
        let part = &mut block[..left.min(1 << 20)];
        file.read_exact(part)?;
        sum.bytes(part);
        left -= part.len();
    }
    Ok(())
}

/// What is wrong with a file that is no safetensors file.
fn foreign(reason: &str) -> String {
    format!("it is no whole safetensors file ({reason})")
}

fn dtype(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        _ => return None,
    })
}

fn burn_dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        _ => return None,
    })
}
