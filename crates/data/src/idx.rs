//! The IDX format of the MNIST family: a big-endian magic number and sizes, then unsigned bytes; raw or
//! gzipped.

use std::io::{BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use meanflow_settings::Choice;
use sha2::{Digest, Sha256};

use crate::error::DataError;

/// Unsigned bytes in three dimensions: count, height, width.
const IMAGES: u32 = 0x0000_0803;
/// Unsigned bytes in one dimension: count.
const LABELS: u32 = 0x0000_0801;

/// Which of the two halves of an MNIST-type set to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The training half if the folder has it, else the test half.
    #[default]
    Auto,
    /// `train-images-idx3-ubyte` and its labels.
    Train,
    /// `t10k-images-idx3-ubyte` and its labels.
    Test,
}

impl Part {
    /// The names that an experiment file may use for `split`.
    pub const NAMES: [&'static str; 3] = ["auto", "train", "test"];

    /// These names, as a key's values.
    pub fn choice() -> Choice<Self> {
        Choice(Self::NAMES.into_iter().filter_map(|name| Some((name, Self::from_name(name)?))).collect())
    }

    /// The part of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "train" => Some(Self::Train),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    /// The name an experiment file uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Train => "train",
            Self::Test => "test",
        }
    }

    /// The images file and the labels file of this part in `folder`: raw before gzipped, with `-` or `.`
    /// before `idx`.
    ///
    /// # Errors
    /// [`DataError::NoSuchPart`] with the names looked for; [`DataError::Read`] if `folder` is not a readable
    /// folder.
    pub fn find(self, folder: &Path) -> Result<[PathBuf; 2], DataError> {
        folder.read_dir().map_err(DataError::read(folder))?;
        let prefixes: &[&str] = match self {
            Self::Auto => &["train", "t10k"],
            Self::Train => &["train"],
            Self::Test => &["t10k"],
        };
        let existing = |stem: &str| {
            ["-", "."]
                .iter()
                .flat_map(|dot| {
                    ["", ".gz"].map(|end| folder.join(stem.replace("-idx", &format!("{dot}idx")) + end))
                })
                .find(|path| path.is_file())
        };
        let missing = |stems: String| DataError::NoSuchPart {
            folder: folder.to_path_buf(),
            wanted: format!("{stems} (raw or .gz)"),
        };
        for prefix in prefixes {
            // The images decide which part there is; its labels must then be there too.
            if let Some(images) = existing(&format!("{prefix}-images-idx3-ubyte")) {
                let stem = format!("{prefix}-labels-idx1-ubyte");
                let labels = existing(&stem).ok_or_else(|| missing(stem))?;
                return Ok([images, labels]);
            }
        }
        let wanted = prefixes
            .iter()
            .map(|prefix| format!("{prefix}-images-idx3-ubyte"))
            .collect::<Vec<_>>()
            .join(" or ");
        Err(missing(wanted))
    }
}

/// The images of an IDX file.
pub struct IdxImages {
    /// Number of images.
    pub count: usize,
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// `[count, height, width]`.
    pub pixels: Vec<u8>,
}

/// Where IDX bytes come from.
#[derive(Clone, Copy)]
pub enum IdxBytes<'a> {
    /// A file, raw or gzipped.
    File(&'a Path),
    /// Bytes in memory, raw or gzipped, and the name to use in errors.
    Memory(&'a Path, &'a [u8]),
}

impl<'a> IdxBytes<'a> {
    /// The name to use in errors.
    pub fn path(self) -> &'a Path {
        match self {
            Self::File(path) | Self::Memory(path, _) => path,
        }
    }

    fn open(self) -> Result<Box<dyn Read + 'a>, DataError> {
        match self {
            Self::File(path) => open(path),
            Self::Memory(_, bytes) => Ok(unpack(bytes, Cursor::new(bytes))),
        }
    }
}

/// Opens a file and unpacks it if it is gzipped, which its first two bytes tell and not its name.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let file = meanflow_files::open(path).map_err(DataError::read(path))?;
    let mut start = Vec::with_capacity(2);
    file.take(2).read_to_end(&mut start).map_err(DataError::read(path))?;
    let file = BufReader::new(meanflow_files::open(path).map_err(DataError::read(path))?);
    Ok(unpack(&start, file))
}

fn unpack<'a>(start: &[u8], bytes: impl Read + 'a) -> Box<dyn Read + 'a> {
    if start.starts_with(&[0x1f, 0x8b]) { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) }
}

/// Reads an IDX file of images and adds its unpacked bytes to `hash`.
///
/// # Errors
/// Another magic number, no images, or more or fewer bytes than the header announces; [`DataError::Read`] if
/// the file cannot be read.
pub fn read_images(source: IdxBytes, hash: &mut Sha256) -> Result<IdxImages, DataError> {
    let (sizes, pixels) = read(source, "images", IMAGES, 3, hash)?;
    Ok(IdxImages { count: sizes[0] as usize, size: [sizes[1] as usize, sizes[2] as usize], pixels })
}

/// Reads an IDX file of labels, one byte each, and adds its unpacked bytes to `hash`.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(source: IdxBytes, hash: &mut Sha256) -> Result<Vec<u8>, DataError> {
    read(source, "labels", LABELS, 1, hash).map(|(_, labels)| labels)
}

/// Count, height and width from the header of an IDX file of images, without reading on.
///
/// # Errors
/// As [`read_images`], as far as the header shows it.
pub fn peek_images(path: &Path) -> Result<[usize; 3], DataError> {
    let (sizes, _) = header(&mut *open(path)?, path, "images", IMAGES, 3)?;
    Ok([sizes[0] as usize, sizes[1] as usize, sizes[2] as usize])
}

/// The sizes and the raw bytes of a header.
fn header(
    reader: &mut dyn Read,
    path: &Path,
    what: &'static str,
    magic: u32,
    dimensions: usize,
) -> Result<(Vec<u32>, Vec<u8>), DataError> {
    let expected = 4 + 4 * dimensions;
    let mut bytes = Vec::with_capacity(expected);
    read_to_end(&mut reader.take(expected as u64), &mut bytes, path)?;
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
    if let Some(&found) = words.first()
        && found != magic
    {
        return Err(DataError::IdxMagic { path: path.to_path_buf(), what, expected: magic, found });
    }
    if words.len() <= dimensions {
        return Err(DataError::IdxHeader { path: path.to_path_buf(), what, expected, found: bytes.len() });
    }
    let sizes = words[1..].to_vec();
    if sizes.contains(&0) {
        return Err(DataError::IdxEmpty { path: path.to_path_buf(), what, sizes });
    }
    Ok((sizes, bytes))
}

fn read(
    source: IdxBytes,
    what: &'static str,
    magic: u32,
    dimensions: usize,
    hash: &mut Sha256,
) -> Result<(Vec<u32>, Vec<u8>), DataError> {
    let path = source.path();
    let mut reader = source.open()?;
    let (sizes, head) = header(&mut *reader, path, what, magic, dimensions)?;
    // At most (2³² − 1)³: no overflow in u128, and a size that no file reaches is reported as truncation.
    let item: u128 = sizes[1..].iter().map(|&s| u128::from(s)).product();
    let body = u64::try_from(item * u128::from(sizes[0])).unwrap_or(u64::MAX - head.len() as u64);
    let mut bytes = Vec::new();
    // One byte further than announced, to notice a file that goes on; memory grows with the file, not with
    // its claims.
    read_to_end(&mut reader.take(body.saturating_add(1)), &mut bytes, path)?;
    let found = bytes.len() as u64;
    let expected_bytes = body + head.len() as u64;
    let expected = u64::from(sizes[0]);
    if found > body {
        return Err(DataError::IdxTooLong { path: path.to_path_buf(), what, expected, expected_bytes });
    }
    if found < body {
        let whole = (u128::from(found) / item) as u64;
        return Err(DataError::IdxTruncated {
            path: path.to_path_buf(),
            what,
            expected,
            found: whole,
            expected_bytes,
            found_bytes: found + head.len() as u64,
        });
    }
    hash.update(&head);
    hash.update(&bytes);
    Ok((sizes, bytes))
}

/// Reads what there is: a gzip stream that breaks off counts as a file that ends there, and the sizes then
/// say how much is missing.
fn read_to_end(reader: &mut dyn Read, bytes: &mut Vec<u8>, path: &Path) -> Result<(), DataError> {
    match reader.read_to_end(bytes) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(DataError::read(path)(error)),
        _ => Ok(()),
    }
}
