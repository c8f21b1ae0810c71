use super::*;
use std::{fs::File, io::Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn npy(header: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{header:<117}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat()
}

fn header(descr: &str, fortran: bool, shape: &str) -> String {
    let fortran = if fortran { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}")
}

fn read(bytes: &[u8]) -> Result<HostArray, FileError> {
    whole(bytes, bytes.len() as u64)
}

/// 0, 1, … as bytes of this type.
fn counting(descr: &str, count: u8) -> Vec<u8> {
    let number = |i: u8| match &descr[1..] {
        "u1" => vec![i],
        "f2" => f16::from_f32(i.into()).to_le_bytes().to_vec(),
        "f4" => f32::from(i).to_le_bytes().to_vec(),
        _ => f64::from(i).to_le_bytes().to_vec(),
    };
    let order = |mut bytes: Vec<u8>| {
        if descr.starts_with('>') {
            bytes.reverse();
        }
        bytes
    };
    (0..count).flat_map(|i| order(number(i))).collect()
}

fn as_f64(values: Values) -> Vec<f64> {
    match values {
        Values::U8(values) => values.into_iter().map(f64::from).collect(),
        Values::F32(values) => values.into_iter().map(f64::from).collect(),
        Values::F64(values) => values,
    }
}

#[test]
fn types_orders_and_layouts() {
    let c: Vec<f64> = (0..6).map(f64::from).collect();
    for descr in ["|u1", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"] {
        let array = read(&npy(&header(descr, false, "(2, 3)"), &counting(descr, 6))).unwrap();
        assert_eq!((&array.shape[..], as_f64(array.values)), (&[2, 3][..], c.clone()), "{descr}");
        let array = read(&npy(&header(descr, true, "(2, 3L)"), &counting(descr, 6))).unwrap();
        assert_eq!(as_f64(array.values), [0., 2., 4., 1., 3., 5.], "{descr}");
    }
    let array = read(&npy(&header("<f8", true, "(2, 2, 2)"), &counting("<f8", 8))).unwrap();
    assert_eq!(as_f64(array.values), [0., 4., 2., 6., 1., 5., 3., 7.]);
    let array = read(&npy(&header("<f4", false, "()"), &counting("<f4", 1))).unwrap();
    assert_eq!((array.shape, array.values), (vec![], Values::F32(vec![0.0])));
    let array = read(&npy(&header("<f4", false, "(3, 0)"), &[])).unwrap();
    assert_eq!((array.shape, array.values), (vec![3, 0], Values::F32(vec![])));
}

#[test]
fn what_is_not_read_says_what_it_is() {
    let said = |header: &str| match read(&npy(header, &[0; 64])) {
        Err(FileError::Unsupported(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert!(said(&header("|O", false, "(8,)")).contains("objects of Python"));
    assert!(said(&header("<i8", false, "(8,)")).contains("`<i8`"));
    assert!(said("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (8,), }").contains("records"));
}

/// No header makes it take memory that the values do not fill.
#[test]
fn shapes_that_are_not_there() {
    let is = |shape: &str| read(&npy(&header("<f4", false, shape), &[0; 8]));
    for shape in
        ["(4611686018427387904, 0)", "(0, 9999999999)", "(4611686018427387904, 4)", "(2305843009213693952,)"]
    {
        assert!(matches!(is(shape), Err(FileError::TooLarge(_))), "{shape}");
    }
    for shape in ["(99999999999, 2048)", "(3,)", "(1,)", "(-1,)", "(2", "(99999999999999999999999,)", "2"] {
        assert!(matches!(is(shape), Err(FileError::Broken(_))), "{shape}");
    }
    let long = [b"\x93NUMPY\x02\x00", &u32::MAX.to_le_bytes()[..], b"{"].concat();
    assert!(matches!(read(&long), Err(FileError::TooLarge(_))));
    let whole = npy(&header("<f4", false, "(2,)"), &[0; 8]);
    for length in 0..whole.len() {
        assert!(matches!(read(&whole[..length]), Err(FileError::Broken(_))), "{length}");
    }
}

fn archive(path: &Path, members: &[(&str, CompressionMethod, Vec<u8>)]) {
    let mut archive = ZipWriter::new(File::create(path).unwrap());
    for (name, method, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(*method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn arrays_of_an_archive_whole_and_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let array = |descr: &str, fortran| npy(&header(descr, fortran, "(4, 3)"), &counting(descr, 12));
    let (stored, deflated) = (CompressionMethod::Stored, CompressionMethod::Deflated);
    archive(
        &path,
        &[
            ("a.npy", stored, array("<f2", false)),
            ("b.npy", deflated, array(">f4", false)),
            ("c.npy", stored, array("<f4", true)),
            ("notes.txt", stored, b"no array".to_vec()),
        ],
    );
    let mut file = NpzFile::open(&path).unwrap();
    assert_eq!(file.names(), ["a", "b", "c"]);
    let a = file.read("a").unwrap();
    assert_eq!(a.values, file.read("b").unwrap().values);
    assert_eq!(a.values, Values::F32((0..12u8).map(f32::from).collect()));
    let parts = file.stored("a").unwrap().unwrap();
    assert_eq!((parts.shape(), parts.element()), (&[4, 3][..], Element::F16));
    assert_eq!(parts.rows(1, 2).unwrap(), Values::F32((3..9u8).map(f32::from).collect()));
    assert!(file.stored("b").unwrap().is_none() && file.stored("c").unwrap().is_none());
    assert!(matches!(file.read("d"), Err(FileError::Missing(_))));
    let mut tensors = crate::TensorFile::open(&path).unwrap();
    assert_eq!(tensors.names(), ["a", "b", "c"]);
    assert_eq!(tensors.read("c").unwrap().values[..3], [0.0, 4.0, 8.0]);

    // A bit of a value.
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|some| some == b"\x93NUMPY").unwrap() + 128;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = NpzFile::open(&path).unwrap().read("a").unwrap_err();
    assert!(matches!(&error, FileError::Broken(reason) if reason.contains("damaged")), "{error}");
}

/// A member that unpacks to less, or to more, than its header or the archive says.
#[test]
fn compressed_arrays_that_claim_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let claims = npy(&header("|u1", false, "(1099511627776,)"), &[0; 1000]);
    archive(&path, &[("a.npy", CompressionMethod::Deflated, claims)]);
    assert!(matches!(NpzFile::open(&path).unwrap().read("a"), Err(FileError::Broken(_))));
    // The same with the size in the archive's directory, which stands 20 bytes before the member's name there.
    let mut bytes = std::fs::read(&path).unwrap();
    let name = bytes.windows(5).rposition(|some| some == b"a.npy").unwrap();
    bytes[name - 22..name - 18].copy_from_slice(&0xfffffff0u32.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert!(NpzFile::open(&path).unwrap().read("a").is_err());
}
