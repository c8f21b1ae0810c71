use super::*;
use image::{GrayImage, Luma, Rgb, RgbImage};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// Noise, so that the compressed pixels are long.
fn picture() -> RgbImage {
    RgbImage::from_fn(40, 30, |x, y| Rgb([x * 7 + y * y, x * y * 3, 255 - y * 5].map(|value| value as u8)))
}

fn saved(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    picture().save(&path).unwrap();
    (folder, path)
}

#[test]
fn whole_files_are_read() {
    for name in ["x.png", "x.jpg"] {
        let (_folder, path) = saved(name);
        let found = header(&path).unwrap();
        assert_eq!(found, Header { height: 30, width: 40, color: ColorType::Rgb8 });
        let decoded = decode(&path).unwrap().into_rgb8();
        assert_eq!(decoded.dimensions(), (40, 30));
        assert!(name != "x.png" || decoded == picture());
    }
}

/// A JPEG as well as a PNG, wherever it is cut.
#[test]
fn a_file_that_is_cut_short_is_refused() {
    for name in ["x.png", "x.jpg"] {
        let (_folder, path) = saved(name);
        let whole = fs::read(&path).unwrap();
        // Of a PNG the last chunk says nothing but that it is the last.
        let needed = whole.len() - if name == "x.png" { 12 } else { 0 };
        for length in 0..needed {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(decode(&path).is_err(), "{name}: {length} of {} bytes", whole.len());
        }
        // What stands behind the end is no harm.
        fs::write(&path, [&whole[..], b"behind"].concat()).unwrap();
        decode(&path).unwrap();
    }
}

/// The end of a thumbnail in a segment is not the end of the picture.
#[test]
fn an_end_within_a_segment_does_not_count() {
    let (_folder, path) = saved("x.jpg");
    let whole = fs::read(&path).unwrap();
    let thumbnail = [&b"\xff\xe1\x00\x06"[..], b"\xff\xd8\xff\xd9"].concat();
    let with = [&whole[..2], &thumbnail, &whole[2..]].concat();
    fs::write(&path, &with).unwrap();
    decode(&path).unwrap();
    fs::write(&path, &with[..with.len() - 2]).unwrap();
    assert!(matches!(decode(&path), Err(PictureError::Cut)));
}

#[test]
fn a_header_that_claims_too_much_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.png");
    GrayImage::from_pixel(4, 4, Luma([7])).save(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // The header: width, height, five bytes; then its checksum.
    for side in [20_000u32, 0x7fff_ffff] {
        bytes[16..20].copy_from_slice(&side.to_be_bytes());
        bytes[20..24].copy_from_slice(&side.to_be_bytes());
        let sum = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        fs::write(&path, &bytes).unwrap();
        for error in [header(&path).err(), decode(&path).err()] {
            assert!(matches!(error, Some(PictureError::Large { .. } | PictureError::Codec(_))), "{error:?}");
        }
    }
}

/// The CRC-32 of PNG, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}
