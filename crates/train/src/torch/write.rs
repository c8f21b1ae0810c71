//! Writes a dictionary of tensors as `torch.save` does: what `torch.load(file, weights_only=True)` reads.

use meanflow_nets::weights::HostTensor;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// What members of the archive begin with.
const ROOT: &str = "archive";

/// Storages begin at multiples of this, as PyTorch has them.
const ALIGNMENT: usize = 64;

/// Writes f32 tensors under their names.
///
/// # Errors
/// Those of writing, and [`io::ErrorKind::FileTooLarge`] above 4 GiB, where the plain zip format ends.
pub(crate) fn write(path: &Path, tensors: &BTreeMap<String, HostTensor>) -> io::Result<()> {
    let mut archive =
        Archive { file: BufWriter::new(File::create(path)?), at: 0, directory: Vec::new(), count: 0 };
    archive.add("data.pkl", &pickle(tensors)?)?;
    archive.add("byteorder", b"little")?;
    for (index, tensor) in tensors.values().enumerate() {
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        archive.add(&format!("data/{index}"), &bytes)?;
    }
    archive.add("version", b"3\n")?;
    archive.finish()
}

/// A pickle of protocol 2: a dictionary of names and calls of PyTorch's `_rebuild_tensor_v2`, storage by storage.
fn pickle(tensors: &BTreeMap<String, HostTensor>) -> io::Result<Vec<u8>> {
    let mut out = b"\x80\x02}".to_vec();
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        text(&mut out, name)?;
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(");
        // The storage, by a persistent id.
        out.push(b'(');
        text(&mut out, "storage")?;
        out.extend(b"ctorch\nFloatStorage\n");
        text(&mut out, &index.to_string())?;
        text(&mut out, "cpu")?;
        integer(&mut out, tensor.values.len());
        out.extend(b"tQ");
        integer(&mut out, 0);
        tuple(&mut out, &tensor.shape);
        let mut strides = vec![1; tensor.shape.len()];
        for dim in (1..strides.len()).rev() {
            strides[dim - 1] = strides[dim] * tensor.shape[dim];
        }
        tuple(&mut out, &strides);
        // It needs no gradient, and has no hooks.
        out.extend(b"\x89ccollections\nOrderedDict\n)RtRs");
    }
    out.push(b'.');
    Ok(out)
}

fn text(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    out.push(b'X');
    out.extend(fitting(text.len())?.to_le_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

/// A number of eight bytes: `LONG1`.
fn integer(out: &mut Vec<u8>, value: usize) {
    out.extend([0x8a, 8]);
    out.extend((value as i64).to_le_bytes());
}

fn tuple(out: &mut Vec<u8>, values: &[usize]) {
    out.push(b'(');
    for value in values {
        integer(out, *value);
    }
    out.push(b't');
}

/// A number that the format has four bytes for.
fn fitting(value: usize) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| {
        let message = "a PyTorch file above 4 GiB is not written here; write .safetensors";
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    })
}

/// A zip archive of uncompressed members.
struct Archive {
    file: BufWriter<File>,
    at: usize,
    directory: Vec<u8>,
    count: u16,
}

impl Archive {
    fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let name = format!("{ROOT}/{name}");
        let (size, header) = (fitting(bytes.len())?, fitting(self.at)?);
        // What a member's two headers have in common: version, flags, no compression, 1 January 1980, sum, sizes.
        let mut common = Vec::new();
        for value in [20u16, 0, 0, 0, 0x21] {
            common.extend(value.to_le_bytes());
        }
        for value in [crc32fast::hash(bytes), size, size] {
            common.extend(value.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        // An extra field of its own kind fills up to the alignment; it has four bytes at least.
        let begin = self.at + 30 + name.len() + 4;
        let fill = begin.next_multiple_of(ALIGNMENT) - begin;
        let mut local = b"PK\x03\x04".to_vec();
        local.extend(&common);
        local.extend((fill as u16 + 4).to_le_bytes());
        local.extend(name.as_bytes());
        local.extend(b"FB");
        local.extend((fill as u16).to_le_bytes());
        local.resize(local.len() + fill, b'Z');
        self.file.write_all(&local)?;
        self.file.write_all(bytes)?;
        self.at += local.len() + bytes.len();

        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&common);
        // No extra field, comment, second disk or attributes.
        self.directory.extend([0; 12]);
        self.directory.extend(header.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count = self.count.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        end.extend(self.count.to_le_bytes());
        end.extend(self.count.to_le_bytes());
        end.extend(fitting(self.directory.len())?.to_le_bytes());
        end.extend(fitting(self.at)?.to_le_bytes());
        end.extend([0; 2]);
        self.file.write_all(&self.directory)?;
        self.file.write_all(&end)?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::TorchFile;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pth");
        let tensor = |shape: &[usize]| {
            let values = (0..shape.iter().product::<usize>()).map(|i| i as f32 - 0.5).collect();
            HostTensor { shape: shape.to_vec(), values }
        };
        let tensors: BTreeMap<String, HostTensor> = [
            ("blocks.0.weight".to_owned(), tensor(&[2, 3, 4])),
            ("scalar".to_owned(), tensor(&[])),
            ("bias".to_owned(), tensor(&[5])),
        ]
        .into();
        write(&path, &tensors).unwrap();
        let mut file = TorchFile::open(&path).unwrap();
        let names: Vec<String> = file.names().map(str::to_owned).collect();
        assert_eq!(names, ["bias", "blocks.0.weight", "scalar"]);
        for name in names {
            assert_eq!(file.read(&name).unwrap(), tensors[&name]);
        }
    }
}
