//! PNG and JPEG files as squares of red, green and blue.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::error::DataError;
use crate::images::value;

/// What shows through where a picture is transparent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// White.
    #[default]
    White,
    /// Black.
    Black,
}

impl Background {
    /// The names that an experiment file may use for `background`.
    pub const ALL: [(&'static str, Self); 2] = [("white", Self::White), ("black", Self::Black)];
}

/// Height and width, from the header alone.
pub(crate) fn size(path: &Path) -> Result<[usize; 2], DataError> {
    let header = meanflow_pictures::header(path).map_err(DataError::picture(path))?;
    Ok([header.height, header.width])
}

/// Decodes a picture of any colour type and lays it on the background.
pub(crate) fn decode(path: &Path, background: Background) -> Result<RgbImage, DataError> {
    let picture = meanflow_pictures::decode(path).map_err(DataError::picture(path))?;
    if !picture.color().has_alpha() {
        return Ok(picture.into_rgb8());
    }
    let behind = match background {
        Background::White => 255,
        Background::Black => 0,
    };
    let picture = picture.into_rgba8();
    Ok(RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        let mix = |colour: u32| ((colour * alpha + behind * (255 - alpha) + 127) / 255) as u8;
        Rgb([red, green, blue].map(mix))
    }))
}

/// Pixels of a picture that is scaled so that its shorter side fits: a strip would become a very long one.
const SCALED: f64 = (1u64 << 26) as f64;

/// The middle square at `side`×`side`, as for ImageNet in ADM (arXiv 2105.05233): halve by averages as long as
/// the shorter side stays at least twice as long, then bicubic, then crop.
///
/// # Errors
/// In words: a picture that is so much longer than wide that it would have more than [`SCALED`] pixels.
pub(crate) fn fit(mut picture: RgbImage, side: u32) -> Result<RgbImage, String> {
    let (width, height) = picture.dimensions();
    let ratio = f64::from(width.max(height)) / f64::from(width.min(height));
    if ratio * f64::from(side).powi(2) > SCALED {
        return Err(format!("{height}×{width} pixels are too long a strip to be scaled to {side}×{side}"));
    }
    while picture.width().min(picture.height()) >= 2 * side {
        picture = halve(&picture);
    }
    let (width, height) = picture.dimensions();
    let shorter = width.min(height);
    if shorter != side {
        let scaled = |length: u32| (f64::from(length) * f64::from(side) / f64::from(shorter)).round() as u32;
        picture = imageops::resize(&picture, scaled(width), scaled(height), FilterType::CatmullRom);
    }
    let (width, height) = picture.dimensions();
    Ok(imageops::crop_imm(&picture, (width - side) / 2, (height - side) / 2, side, side).to_image())
}

/// Averages of 2×2 pixels; an odd last row or column is left out.
fn halve(picture: &RgbImage) -> RgbImage {
    RgbImage::from_fn(picture.width() / 2, picture.height() / 2, |x, y| {
        let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(i, j)| picture.get_pixel(2 * x + i, 2 * y + j).0);
        Rgb([0, 1, 2].map(|c| ((four.iter().map(|pixel| u32::from(pixel[c])).sum::<u32>() + 2) / 4) as u8))
    })
}

/// The bytes in the order of planes.
pub(crate) fn planes(picture: &RgbImage) -> impl Iterator<Item = u8> {
    (0..3).flat_map(|channel| picture.pixels().map(move |pixel| pixel.0[channel]))
}

/// The values of the planes, in [−1, 1].
pub(crate) fn write_values(picture: &RgbImage, sample: &mut [f32]) {
    assert_eq!(sample.len(), picture.as_raw().len(), "a buffer of another size than the picture");
    sample.iter_mut().zip(planes(picture)).for_each(|(to, byte)| *to = value(byte));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_rounds_averages_to_the_nearest() {
        let picture = RgbImage::from_raw(2, 2, vec![0, 1, 10, 0, 1, 11, 1, 1, 11, 1, 0, 11]).expect("2×2");
        // 2/4, 3/4 and 43/4.
        assert_eq!(halve(&picture).into_raw(), [1, 1, 11]);
    }

    #[test]
    fn the_middle_square_of_a_wide_picture() {
        // 40×16: halved to 20×8, whose middle 8 columns are columns 12 to 27 of the original.
        let picture = RgbImage::from_fn(40, 16, |x, _| Rgb([if (12..28).contains(&x) { 200 } else { 0 }; 3]));
        let square = fit(picture, 8).expect("no strip");
        assert_eq!(square.dimensions(), (8, 8));
        assert!(square.as_raw().iter().all(|&byte| byte == 200));
    }

    #[test]
    fn a_strip_is_not_scaled_to_millions_of_pixels() {
        let strip = RgbImage::new(60_000, 1);
        assert_eq!(
            fit(strip.clone(), 64).expect_err("a strip"),
            "1×60000 pixels are too long a strip to be scaled to 64×64"
        );
        assert_eq!(fit(strip, 8).expect("scaled to 8×480000").dimensions(), (8, 8));
    }

    #[test]
    fn bicubic_keeps_flat_colours_and_size() {
        let square = fit(RgbImage::from_pixel(50, 33, Rgb([9, 99, 199])), 32).expect("no strip");
        assert_eq!(square.dimensions(), (32, 32));
        assert!(square.pixels().all(|pixel| pixel.0 == [9, 99, 199]));
    }
}
