//! Pictures of samples as PNG: grids of images, and the density of points in the plane.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, RgbImage};

use crate::error::DataError;

/// Grey of the lines between the images of a grid.
const LINE: u8 = 96;

/// Writes images as a PNG grid, row by row, with lines of one pixel between them.
///
/// Values become bytes as `⌊clip(127.5·x + 128, 0, 255)⌋`, the inverse of x/127.5 − 1; NaN becomes 0.
///
/// `shape` is `[count, channels, height, width]`, `columns` the images in a row, `scale` the side of the square
/// each pixel becomes. Samples with other than 1 or 3 channels, such as latents, are no pictures: the first three
/// channels (or the first of two) are shown, divided by their largest value in the grid. The file is written under a temporary name and renamed.
///
/// # Errors
/// [`DataError::Write`] if the file cannot be written.
///
/// # Panics
/// If `samples` does not have the shape, has no image, or if `columns` or `scale` is 0.
pub fn grid_png(
    samples: &[f32],
    shape: [usize; 4],
    columns: usize,
    scale: usize,
    path: &Path,
) -> Result<(), DataError> {
    let [count, channels, height, width] = shape;
    assert_eq!(samples.len(), count * channels * height * width, "samples for shape {shape:?}");
    let picture = if channels == 1 || channels == 3 {
        grid(samples, shape, columns, scale)
    } else {
        let shown = if channels < 3 { 1 } else { 3 };
        grid(&first_channels(samples, shape, shown), [count, shown, height, width], columns, scale)
    };
    write(&picture, path)
}

/// The first `shown` channels, divided by their largest value.
fn first_channels(samples: &[f32], [_, channels, height, width]: [usize; 4], shown: usize) -> Vec<f32> {
    let pixels = height * width;
    let mut values: Vec<f32> = samples
        .chunks_exact(channels * pixels)
        .flat_map(|sample| &sample[..shown * pixels])
        .copied()
        .collect();
    let largest = values.iter().fold(f32::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
    values.iter_mut().for_each(|x| *x /= largest);
    values
}

fn grid(samples: &[f32], shape: [usize; 4], columns: usize, scale: usize) -> DynamicImage {
    let [count, channels, height, width] = shape;
    assert!(
        samples.len() * columns * scale > 0,
        "an empty grid: shape {shape:?}, {columns} columns, scale {scale}"
    );
    let columns = columns.min(count);
    let tile = [height, width].map(|side| side * scale + 1);
    let [rows_high, columns_wide] = [count.div_ceil(columns) * tile[0] - 1, columns * tile[1] - 1];
    let mut bytes = vec![LINE; rows_high * columns_wide * channels];
    for cell in 0..count.next_multiple_of(columns) {
        let (top, left) = (cell / columns * tile[0], cell % columns * tile[1]);
        for y in 0..height * scale {
            for x in 0..width * scale {
                for channel in 0..channels {
                    let at = ((top + y) * columns_wide + left + x) * channels + channel;
                    let from = ((cell * channels + channel) * height + y / scale) * width + x / scale;
                    // Cells after the last image stay black.
                    bytes[at] = samples.get(from).map_or(0, |&value| byte(value));
                }
            }
        }
    }
    let (width, height) = (columns_wide as u32, rows_high as u32);
    let fits = "the buffer was made for this size";
    match channels {
        1 => GrayImage::from_raw(width, height, bytes).expect(fits).into(),
        _ => RgbImage::from_raw(width, height, bytes).expect(fits).into(),
    }
}

/// The byte that stands for a value.
pub(crate) fn byte(value: f32) -> u8 {
    (127.5 * value + 128.0).clamp(0.0, 255.0) as u8
}

/// Cells along a side of a density picture, and pixels along a side of a cell.
const CELLS: usize = 125;
const CELL: u32 = 4;

/// Writes points of the plane, pair after pair, as a PNG of their density on [−2.5, 2.5]², y upwards, dark
/// where there are many; 500×500 pixels.
///
/// The file is written under a temporary name and renamed.
///
/// # Errors
/// [`DataError::Write`] if the file cannot be written.
///
/// # Panics
/// If `points` has an odd length.
pub fn density_png(points: &[f32], path: &Path) -> Result<(), DataError> {
    assert!(points.len().is_multiple_of(2), "points come in pairs, not {} numbers", points.len());
    let mut counts = vec![[0u32; CELLS]; CELLS];
    for pair in points.chunks_exact(2) {
        let [column, row] = [pair[0], -pair[1]].map(|x| ((x + 2.5) / 5.0 * CELLS as f32).floor());
        let inside = 0.0..CELLS as f32;
        if inside.contains(&column) && inside.contains(&row) {
            counts[row as usize][column as usize] += 1;
        }
    }
    // A square root shows thin parts beside dense ones.
    let most = counts.as_flattened().iter().copied().max().unwrap_or(0).max(1) as f32;
    let shade = |count: u32| 255 - (255.0 * (count as f32 / most).sqrt()) as u8;
    let side = CELLS as u32 * CELL;
    let picture = GrayImage::from_fn(side, side, |x, y| {
        Luma([shade(counts[(y / CELL) as usize][(x / CELL) as usize])])
    });
    write(&picture.into(), path)
}

fn write(picture: &DynamicImage, path: &Path) -> Result<(), DataError> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(|error| DataError::picture(path)(error.into()))?;
    meanflow_files::write(path, png.get_ref()).map_err(DataError::write(path))
}

/// Writes samples where the ending of the path says how: `.csv` with one a line, else a picture, a density of points or a square grid
/// of images.
///
/// # Errors
/// [`DataError::Write`] if the file cannot be written.
///
/// # Panics
/// If `samples` does not have the shape or holds none.
pub fn write_samples(samples: &[f32], shape: [usize; 4], path: &Path) -> Result<(), DataError> {
    let dimension: usize = shape[1..].iter().product();
    if path.extension().is_some_and(|ending| ending == "csv") {
        let line = |row: &[f32]| row.iter().map(f32::to_string).collect::<Vec<_>>().join(",") + "\n";
        let text: String = samples.chunks_exact(dimension).map(line).collect();
        return meanflow_files::write(path, text.as_bytes()).map_err(DataError::write(path));
    }
    if shape[1..] == [2, 1, 1] {
        return density_png(samples, path);
    }
    let columns = (shape[0] as f64).sqrt().ceil() as usize;
    grid_png(samples, shape, columns, 64usize.div_ceil(shape[2]), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_to_floats_and_back() {
        for x in 0..=255u8 {
            assert_eq!(byte(f32::from(x) / 127.5 - 1.0), x);
        }
        assert_eq!([-1.5, 1.5, f32::NAN, f32::INFINITY].map(byte), [0, 255, 0, 255]);
    }

    /// Writes to `/dev/full` fail as on a full disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_no_half_picture() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("grid.png");
        let beside = folder.path().join("grid.png.part");
        std::os::unix::fs::symlink("/dev/full", &beside).expect("a link");
        let said = grid_png(&[0.0; 4], [1, 1, 2, 2], 1, 1, &path).expect_err("a full disk").to_string();
        assert!(said.contains("grid.png") && said.contains("No space left"), "{said}");
        assert!(!path.exists() && beside.symlink_metadata().is_err());
    }

    #[test]
    fn images_go_row_by_row_between_lines() {
        // Three 1×2 images in two columns at scale 1: a line of pixels, a separating row, one image and an
        // empty cell.
        let grid = grid(&[-1.0, 1.0, 0.0, 1.0, 1.0, -1.0], [3, 1, 1, 2], 2, 1).into_luma8();
        assert_eq!(grid.dimensions(), (5, 3));
        assert_eq!(
            grid.as_raw()[..],
            [0, 255, LINE, 128, 255, LINE, LINE, LINE, LINE, LINE, 255, 0, LINE, 0, 0]
        );
    }

    #[test]
    fn latents_are_shown_by_their_first_channels() {
        // Two samples of 4×1×1; the largest of what is shown is −4.
        let samples = [1.0, -4.0, 2.0, 9.0, 0.0, 4.0, -2.0, 9.0];
        let shown = first_channels(&samples, [2, 4, 1, 1], 3);
        assert_eq!(shown, [0.25, -1.0, 0.5, 0.0, 1.0, -0.5]);
        assert_eq!(first_channels(&samples, [4, 2, 1, 1], 1), [0.5, 1.0, 0.0, -1.0]);
    }

    #[test]
    fn colours_and_scale() {
        // One RGB image of 1×1, twice as large: planes become interleaved.
        let grid = grid(&[1.0, -1.0, 0.0], [1, 3, 1, 1], 8, 2);
        assert_eq!(grid.as_rgb8().expect("RGB").as_raw()[..], [255, 0, 128].repeat(4));
    }
}
