//! Silhouettes of pictures.

use image::{Luma, LumaA, RgbaImage};
use meanflow_data::{DataConfig, DataError, SilhouetteConfig, read_rows};

use crate::idx::put;

fn open(config: SilhouetteConfig) -> Vec<f32> {
    let dataset = DataConfig::new(SilhouetteConfig { points: 4_000, ..config }).open().expect("a silhouette");
    read_rows(&*dataset, 0..4_000).expect("in memory")
}

/// Smallest and largest x and y.
fn bounds(points: &[f32]) -> [f32; 4] {
    points.chunks(2).fold([f32::MAX, f32::MIN, f32::MAX, f32::MIN], |[l, r, b, t], p| {
        [l.min(p[0]), r.max(p[0]), b.min(p[1]), t.max(p[1])]
    })
}

#[test]
fn the_dark_part_fills_the_box_with_y_upwards() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("letter.png");
    // An L of dark pixels, 2 wide and 4 high, somewhere on white: five pixels in all.
    let dark = [(3, 1), (3, 2), (3, 3), (3, 4), (4, 4)];
    image::GrayImage::from_fn(9, 7, |x, y| Luma([if dark.contains(&(x, y)) { 30 } else { 240 }]))
        .save(&path)
        .expect("writable");
    let points = open(SilhouetteConfig::new(&path));
    for (found, expected) in bounds(&points).into_iter().zip([-1.0, 1.0, -2.0, 2.0]) {
        assert!((found - expected).abs() < 0.01, "{found} against {expected}");
    }
    // Pixels are 1×1 now: nothing in the upper right, a fifth of the points in the foot.
    let count = |inside: fn(f32, f32) -> bool| points.chunks(2).filter(|p| inside(p[0], p[1])).count();
    assert_eq!(count(|x, y| x > 0.0 && y > -1.0), 0);
    assert!((700..900).contains(&count(|x, _| x > 0.0)));
    // The light part is all the rest, so it fills the picture, 9 wide and 7 high.
    let light = bounds(&open(SilhouetteConfig { invert: true, ..SilhouetteConfig::new(&path) }));
    for (found, expected) in light.into_iter().zip([-2.0, 2.0, -14.0 / 9.0, 14.0 / 9.0]) {
        assert!((found - expected).abs() < 0.02, "{found} against {expected}");
    }
}

#[test]
fn what_is_transparent_counts_as_white() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cut-out.png");
    image::ImageBuffer::from_fn(8, 8, |x, _| LumaA([0u8, if x < 4 { 255 } else { 0 }]))
        .save(&path)
        .expect("writable");
    // The left half only, 4 wide and 8 high.
    let [left, right, ..] = bounds(&open(SilhouetteConfig::new(&path)));
    assert!((left + 1.0).abs() < 0.01 && (right - 1.0).abs() < 0.01, "{left} {right}");
    let path = folder.path().join("blank.png");
    RgbaImage::new(5, 4).save(&path).expect("writable");
    let error = DataConfig::new(SilhouetteConfig::new(&path)).open().err().expect("all transparent");
    assert!(matches!(error, DataError::NoSilhouette { width: 5, height: 4, invert: false, .. }), "{error}");
}

#[test]
fn what_is_no_picture_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for content in [&b"no picture"[..], b"\x89PNG\r\n\x1a\n", b""] {
        let path = put(&folder, "broken.png", content);
        let error = DataConfig::new(SilhouetteConfig::new(path)).open().err().expect("no picture");
        assert!(
            matches!(error, DataError::Picture { .. }) && error.to_string().contains("broken.png"),
            "{error}"
        );
    }
}
