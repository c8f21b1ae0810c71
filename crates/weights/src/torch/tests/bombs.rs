//! Small pickles that ask for more than any file is worth.

use crate::{
    FileError,
    pickle::{self, Pickle},
    torch::names::collect,
};

/// A tensor of one number, remembered under 9.
const TENSOR: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89}tRq\x09";

fn read(bytes: &[u8]) -> Result<Pickle, FileError> {
    pickle::read(&mut &bytes[..], &mut (bytes.len() as u64))
}

/// `d["d"] = d`.
#[test]
fn a_dictionary_within_itself() {
    let pickle = read(b"\x80\x02}q\x01X\x01\x00\x00\x00dh\x01s.").unwrap();
    let error = collect(&pickle).map(|tensors| tensors.len()).unwrap_err();
    assert!(matches!(&error, FileError::Broken(reason) if reason.contains("within itself")), "{error}");
}

/// Each list holds the one before ten times: copied, it would have 10¹² items. And lists within lists, far deeper than any stack.
#[test]
fn lists_of_lists_are_not_copied() {
    let mut bytes = b"\x80\x02]".to_vec();
    for _ in 0..12 {
        bytes.extend(b"q\x00]");
        (0..10).for_each(|_| bytes.extend(b"h\x00a"));
    }
    bytes.push(b'.');
    assert_eq!(read(&bytes).unwrap().values.len(), 13);
    let mut bytes = b"\x80\x02".to_vec();
    bytes.extend(b"]".repeat(100_000));
    bytes.extend(b"a".repeat(99_999));
    bytes.push(b'.');
    assert!(read(&bytes).is_ok());
}

/// Eight dictionaries, each with the next one under a hundred keys: 10¹⁶ names.
#[test]
fn shared_dictionaries_have_too_many_names() {
    let mut bytes = [&b"\x80\x02"[..], TENSOR].concat();
    for _ in 0..8 {
        bytes.extend(b"}(");
        for key in 0..100 {
            bytes.extend(format!("X\x03\x00\x00\x00k{key:02}h\x09").bytes());
        }
        bytes.extend(b"uq\x09");
    }
    bytes.push(b'.');
    let error = collect(&read(&bytes).unwrap()).map(|tensors| tensors.len()).unwrap_err();
    assert!(matches!(error, FileError::TooLarge(_)), "{error}");
}

/// A long name that is used again and again, as a class and as a storage, is copied nowhere.
#[test]
fn long_names_that_are_used_often() {
    let name = vec![b'a'; 1 << 20];
    let length = (name.len() as u32).to_le_bytes();
    let mut bytes = [&b"\x80\x04X"[..], &length, &name, b"q\x00"].concat();
    bytes.extend(b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nh\x00X\x03\x00\x00\x00cpuK\x01tq\x01");
    for _ in 0..100_000 {
        bytes.extend(b"h\x00h\x00\x93h\x01Q00");
    }
    bytes.push(b'.');
    assert!(read(&bytes).is_ok());
}

#[test]
fn sizes_that_are_not_there_and_programs_without_end() {
    for bytes in [
        &b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"[..],
        b"\x80\x04\x8b\xff\xff\xff\x7f",
        b"\x80\x04\x96\0\0\0\0\x01\0\0\0",
    ] {
        assert!(matches!(read(bytes), Err(FileError::Broken(_))), "{bytes:?}");
    }
    let endless = [&b"\x80\x02"[..], &b"N0".repeat(1 << 22), b"N."].concat();
    assert!(matches!(read(&endless), Err(FileError::TooLarge(_))));
}

/// A view of stride 0 over one number.
#[test]
fn a_view_that_repeats_a_number_without_end() {
    let bytes = [
        b"\x80\x02}X\x01\x00\x00\x00w",
        &TENSOR[..TENSOR.len() - 12],
        b"J\xff\xff\xff\x7f\x85K\x00\x85\x89}tRs.",
    ]
    .concat();
    let tensors = collect(&read(&bytes).unwrap()).unwrap();
    let error = tensors["w"].gather(&[1.0]).unwrap_err();
    assert!(matches!(error, FileError::TooLarge(_)), "{error}");
}
