//! Writes a dictionary of tensors as `torch.save` does: what `torch.load(file, weights_only=True)` reads.

use crate::HostTensor;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// What members of the archive begin with.
const ROOT: &str = "archive";

/// Storages begin at multiples of this, as PyTorch has them.
const ALIGNMENT: u16 = 64;

/// Writes f32 tensors under their names. The same tensors give the same bytes.
///
/// # Errors
/// Those of writing.
pub fn write_torch(path: &Path, tensors: &BTreeMap<String, HostTensor>) -> io::Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(File::create(path)?));
    let mut add = |name: &str, bytes: &[u8]| -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(u32::try_from(bytes.len()).is_err())
            .with_alignment(ALIGNMENT);
        archive.start_file(format!("{ROOT}/{name}"), options)?;
        archive.write_all(bytes)
    };
    add("data.pkl", &pickle(tensors)?)?;
    add("byteorder", b"little")?;
    for (index, tensor) in tensors.values().enumerate() {
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        add(&format!("data/{index}"), &bytes)?;
    }
    add("version", b"3\n")?;
    archive.finish()?.flush()
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
    out.extend(u32::try_from(text.len()).map_err(io::Error::other)?.to_le_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TorchFile;

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
        write_torch(&path, &tensors).unwrap();
        let mut file = TorchFile::open(&path).unwrap();
        let names: Vec<String> = file.names().map(str::to_owned).collect();
        assert_eq!(names, ["bias", "blocks.0.weight", "scalar"]);
        for name in names {
            assert_eq!(file.read(&name).unwrap(), tensors[&name]);
        }
    }
}
