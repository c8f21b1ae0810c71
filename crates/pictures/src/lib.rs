#![doc = include_str!("../README.md")]

mod jpeg;

use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use std::{
    io::{self, BufRead, BufReader, Cursor, Seek},
    path::Path,
};

/// Bytes of a decoded picture: 67 million pixels of three bytes.
pub const MOST: u64 = 3 << 26;

/// Bytes of a file.
const FILE: u64 = 1 << 28;

/// Height and width of pictures that are used as they are, without being made smaller.
pub const SIDE: usize = 4096;

/// Why a picture cannot be read. The caller knows the path and says it.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The operating system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no picture, or a damaged one.
    #[error("{0}")]
    Codec(#[from] ImageError),
    /// It has more pixels than are read.
    #[error("it says that it is of {height}×{width} pixels, which take {bytes} bytes; {MOST} are the most")]
    Large {
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
        /// Bytes of all pixels.
        bytes: u64,
    },
    /// A JPEG file that ends early; its decoder would make the rest of the picture up.
    #[error("it is cut short: the JPEG data go on where the file ends")]
    Cut,
}

/// What a picture's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// Channels and bits.
    pub color: ColorType,
}

/// Reads the header of a PNG or JPEG file and nothing else.
///
/// # Errors
/// What is no such file, and a picture of more than [`MOST`] bytes.
pub fn header(path: &Path) -> Result<Header, PictureError> {
    let decoder = decoder(BufReader::new(meanflow_files::open(path)?))?.1;
    let (width, height) = decoder.dimensions();
    Ok(Header { height: height as usize, width: width as usize, color: decoder.color_type() })
}

/// Decodes a PNG or JPEG file.
///
/// # Errors
/// Those of [`header`], and a file that is damaged or cut short.
pub fn decode(path: &Path) -> Result<DynamicImage, PictureError> {
    let bytes = meanflow_files::read_at_most(path, FILE)?;
    let (format, decoder) = decoder(Cursor::new(&bytes))?;
    if format == Some(ImageFormat::Jpeg) && !jpeg::is_whole(&bytes) {
        return Err(PictureError::Cut);
    }
    Ok(DynamicImage::from_decoder(decoder)?)
}

/// A decoder of what the first bytes say, of a picture that is not too large.
fn decoder<'a>(
    file: impl BufRead + Seek + 'a,
) -> Result<(Option<ImageFormat>, impl ImageDecoder + 'a), PictureError> {
    let reader = ImageReader::new(file).with_guessed_format()?;
    let format = reader.format();
    let decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    match decoder.total_bytes() {
        bytes if bytes > MOST => Err(PictureError::Large { height, width, bytes }),
        _ => Ok((format, decoder)),
    }
}

#[cfg(test)]
mod tests;
