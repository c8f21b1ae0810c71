//! The format before PyTorch 1.6.

use crate::{FileError, HostTensor, TensorFile, TorchFile};
use std::path::PathBuf;

/// A pickle of the magic number.
fn magic() -> Vec<u8> {
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec()
}

/// A file with the tensor `w` of shape [2, 3] in a storage of six floats, made by hand.
fn file(strides: [u8; 2], function: &str) -> Vec<u8> {
    let mut bytes = magic();
    bytes.extend(b"\x80\x02M\xe9\x03.");
    bytes.extend(b"\x80\x02}q\x00.");
    bytes.extend(b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01");
    bytes.extend(b"X\x01\x00\x00\x00wq\x02");
    bytes.extend(format!("ctorch._utils\n{function}\nq\x03(").bytes());
    bytes.extend(b"(X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x007q\x06X\x03\x00\x00\x00cpuq\x07K\x06NtQ");
    bytes.extend([b'K', 0, b'K', 2, b'K', 3, 0x86, b'K', strides[0], b'K', strides[1], 0x86, 0x89]);
    bytes.extend(b"h\x00)Rtq\x08Rq\x09s.");
    bytes.extend(b"\x80\x02]q\x00X\x01\x00\x00\x007q\x01a.");
    bytes.extend(6u64.to_le_bytes());
    (0..6).for_each(|x| bytes.extend((x as f32).to_le_bytes()));
    bytes
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(bytes: &[u8]) -> Result<HostTensor, FileError> {
    let (_folder, path) = written(bytes);
    TorchFile::open(&path)?.read("w")
}

#[test]
fn a_tensor_comes_out_row_major() {
    let tensor = read(&file([3, 1], "_rebuild_tensor_v2")).unwrap();
    assert_eq!(tensor, HostTensor { shape: vec![2, 3], values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0] });
    let tensor = read(&file([1, 2], "_rebuild_tensor_v2")).unwrap();
    assert_eq!(tensor.values, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    let (_folder, path) = written(&file([3, 1], "_rebuild_tensor_v2"));
    assert_eq!(TensorFile::open(&path).unwrap().floats().unwrap().len(), 1);
}

#[test]
fn nothing_is_called_and_nothing_is_read_beyond_the_end() {
    let said = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(said(&file([3, 1], "system")), "it holds no tensor under a name");
    assert!(said(&file([3, 2], "_rebuild_tensor_v2")).contains("reaches beyond the 6 numbers"));
    let whole = file([3, 1], "_rebuild_tensor_v2");
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
    let other = b"\x80\x02K\x01.".to_vec();
    assert_eq!(said(&other), "it is a pickle, but PyTorch did not write it");
}

/// The storage says that it has other numbers than the pickle says, or than there are.
#[test]
fn counts_that_do_not_fit_are_refused() {
    let whole = file([3, 1], "_rebuild_tensor_v2");
    let at = whole.len() - 32;
    for count in [5, 7, u64::MAX, u64::MAX / 4] {
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&count.to_le_bytes());
        assert!(matches!(read(&bytes), Err(FileError::Broken(_))), "{count}");
    }
}
