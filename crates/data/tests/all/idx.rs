//! Small IDX files, whole and broken.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use meanflow_data::idx::{IdxBytes, read_images, read_labels};
use meanflow_data::{DataConfig, DataError, Dataset, IdxConfig, read_rows};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// An IDX file of images whose pixels count up from 0.
pub fn images(count: u32, height: u32, width: u32) -> Vec<u8> {
    let mut bytes: Vec<u8> = [0x803, count, height, width].into_iter().flat_map(u32::to_be_bytes).collect();
    bytes.extend((0..count * height * width).map(|i| i as u8));
    bytes
}

/// An IDX file of labels.
pub fn labels(labels: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [0x801, labels.len() as u32].into_iter().flat_map(u32::to_be_bytes).collect();
    bytes.extend(labels);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all bytes");
    encoder.finish().expect("memory takes all bytes")
}

pub fn put(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a temporary folder is writable");
    path
}

/// Opens images and labels as `[data.idx]` does.
fn open(images: &[u8], labels: Option<&[u8]>) -> Result<std::sync::Arc<dyn Dataset>, DataError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = IdxConfig::new(put(&folder, "images", images));
    config.labels = labels.map(|bytes| put(&folder, "labels", bytes));
    DataConfig::new(config).open()
}

/// The error's message without the folder.
fn message(result: Result<std::sync::Arc<dyn Dataset>, DataError>) -> String {
    let message = result.err().expect("an error").to_string();
    message
        .split(' ')
        .map(|word| match Path::new(word).is_absolute() {
            true => word.rsplit('/').next().unwrap_or(word),
            false => word,
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn raw_and_gzipped_files_are_the_same_data() {
    let (pixels, classes) = (images(3, 2, 4), labels(&[0, 2, 1]));
    let raw = open(&pixels, Some(&classes)).expect("whole files");
    let packed = open(&gzip(&pixels), Some(&gzip(&classes))).expect("whole files");
    assert_eq!((raw.len(), raw.shape(), raw.classes()), (3, [1, 2, 4], Some(3)));
    let expected: Vec<f32> = (0..24).map(|x| x as f32 / 127.5 - 1.0).collect();
    for dataset in [&raw, &packed] {
        assert_eq!(read_rows(&**dataset, 0..3).expect("in memory"), expected);
        assert_eq!([0, 1, 2].map(|i| dataset.label(i)), [Some(0), Some(2), Some(1)]);
        assert_eq!(dataset.digest(), format!("{:x}", Sha256::digest([&pixels[..], &classes].concat())));
    }
    let unlabelled = open(&pixels, None).expect("a whole file");
    assert_eq!((unlabelled.classes(), unlabelled.label(0)), (None, None));
}

#[test]
fn broken_files_are_named_with_what_was_expected_and_found() {
    let whole = images(3, 2, 4);
    let cut = &whole[..16 + 19];
    let longer = [&whole[..], &[0]].concat();
    let none: Vec<u8> = [0x803u32, 0, 28, 28].into_iter().flat_map(u32::to_be_bytes).collect();
    let huge: Vec<u8> =
        [0x803, u32::MAX, u32::MAX, u32::MAX].into_iter().flat_map(u32::to_be_bytes).collect();
    let half = gzip(&whole);
    type Case<'a> = (&'a [u8], Option<Vec<u8>>, &'a str);
    let cases: [Case; 11] = [
        (cut, None, "images is truncated: 3 images expected, 2 found (35 of 40 bytes after unpacking)"),
        (
            &gzip(cut),
            None,
            "images is truncated: 3 images expected, 2 found (35 of 40 bytes after unpacking)",
        ),
        (&longer, None, "images goes on after the 3 images of its header (40 bytes)"),
        (
            &[],
            None,
            "images is too short for an IDX file of images: a header of 16 bytes expected, 0 bytes found",
        ),
        (
            &whole[..9],
            None,
            "images is too short for an IDX file of images: a header of 16 bytes expected, 9 bytes found",
        ),
        (
            &half[..5],
            None,
            "images is too short for an IDX file of images: a header of 16 bytes expected, 0 bytes found",
        ),
        (
            &labels(&[1]),
            None,
            "images is not an IDX file of images: magic 0x00000803 expected, 0x00000801 found",
        ),
        (&none, None, "images holds no images: its header says [0, 28, 28]"),
        (
            &huge,
            None,
            "images is truncated: 4294967295 images expected, 0 found (16 of 18446744073709551615 bytes after unpacking)",
        ),
        (&whole, Some(labels(&[0, 1])), "2 labels in labels for 3 images in images"),
        (
            &whole,
            Some(whole.clone()),
            "labels is not an IDX file of labels: magic 0x00000801 expected, 0x00000803 found",
        ),
    ];
    for (images, labels, expected) in cases {
        assert_eq!(message(open(images, labels.as_deref())), expected);
    }
}

#[test]
fn a_gzip_checksum_that_does_not_fit_is_an_error() {
    let mut packed = gzip(&images(3, 20, 40));
    // The trailer is a checksum of four bytes and a length.
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    let error = open(&packed, None).err().expect("a corrupt stream");
    assert!(matches!(&error, DataError::Read { path, .. } if path.ends_with("images")), "{error}");
}

#[test]
fn labels_outside_the_classes_are_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = IdxConfig::new(put(&folder, "images", &images(3, 1, 1)));
    config.labels = Some(put(&folder, "labels", &labels(&[0, 9, 10])));
    config.classes = Some(10);
    let error = DataConfig::new(config).open().err().expect("label 10 of 10 classes");
    assert!(matches!(error, DataError::LabelRange { item: 2, label: 10, classes: 10, .. }), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_give_data_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60), head in 0usize..4) {
        // Half of the cases begin like an IDX file, so that the sizes are reached.
        let start: &[u8] = [&[][..], &[0, 0, 8, 3], &[0, 0, 8, 1], &[0x1f, 0x8b]][head];
        let bytes = [start, &bytes].concat();
        let source = IdxBytes::Memory(Path::new("bytes"), &bytes);
        if let Ok(images) = read_images(source, &mut Sha256::new()) {
            prop_assert_eq!(images.pixels.len(), images.count * images.size[0] * images.size[1]);
        }
        if let Ok(labels) = read_labels(source, &mut Sha256::new()) {
            prop_assert!(bytes.ends_with(&labels) || bytes.starts_with(&[0x1f, 0x8b]));
        }
    }
}
