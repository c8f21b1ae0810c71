//! Pictures to score: a folder of files, or an array.

use std::{
    borrow::Cow,
    collections::HashSet,
    error::Error,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use image::{ColorType, DynamicImage};
use meanflow_pictures::{Header, PictureError, SIDE};
use meanflow_weights::{StoredArray, Values};
use ndarray::Array2;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{InputError, files::wrong};

/// How a value of [−1, 1] becomes a byte for a feature network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantise {
    /// `round(127.5·(x + 1))`. `127.5·x + 128` cut off, as some repositories write it, is the same but for ties.
    #[default]
    Round,
    /// `127.5·(x + 1)` cut off, as the official CIFAR-10 code of MeanFlow does it.
    Truncate,
}

impl Quantise {
    /// The names of the rules.
    pub const NAMES: [(&str, Self); 2] = [("round", Self::Round), ("truncate", Self::Truncate)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, rule)| *rule == self).map_or("", |(name, _)| name)
    }

    /// The byte of `value`, which is clipped to [−1, 1].
    pub fn byte(self, value: f32) -> u8 {
        let scaled = match self {
            Self::Round => (127.5 * (value + 1.0)).round_ties_even(),
            Self::Truncate => 127.5 * (value + 1.0),
        };
        // Casting cuts off and saturates.
        scaled as u8
    }
}

/// Values that are in memory at once while a digest is taken.
const DIGESTED: usize = 1 << 26;

/// Pictures of one size, read when they are asked for.
#[derive(Clone, Debug)]
pub struct Images {
    shape: [usize; 3],
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    /// Paths in order.
    Files(Vec<PathBuf>),
    /// `[n, channels, height, width]`.
    Bytes(Vec<u8>),
    /// The same, values in [−1, 1] or a little beyond.
    Floats(Vec<f32>),
    /// Either of them in a file.
    OnDisk(Arc<OnDisk>),
    /// Pictures that someone else reads.
    Elsewhere { pictures: Arc<dyn Pictures>, count: usize },
}

/// Pictures of an array that is too large for the memory.
#[derive(Debug)]
pub(crate) struct OnDisk {
    /// `[n, …]`, bytes or floats.
    pub array: StoredArray,
    pub path: PathBuf,
    /// Whether a pixel's channels lie side by side, `[n, height, width, channels]`.
    pub channels_last: bool,
    /// Whether they are floats and none is below 0.
    pub not_negative: bool,
}

impl OnDisk {
    fn read(
        &self,
        index: usize,
        [channels, height, width]: [usize; 3],
    ) -> Result<Picture<'static>, InputError> {
        let values = self.array.rows(index, 1).map_err(wrong(&self.path, &format!("picture {index}")))?;
        let pixels = height * width;
        let order = self.channels_last.then_some([channels, pixels]);
        Ok(match values {
            Values::U8(values) => Picture::Bytes(planes(values, order).into()),
            Values::F32(values) => Picture::Floats(planes(values, order).into()),
            Values::F64(values) => {
                Picture::Floats(planes(values.into_iter().map(|value| value as f32).collect(), order).into())
            }
        })
    }
}

/// Pixels with their channels side by side as one plane after the other; as they are without a number of channels and pixels.
fn planes<T: Copy>(values: Vec<T>, order: Option<[usize; 2]>) -> Vec<T> {
    let Some([channels, pixels]) = order else { return values };
    (0..channels * pixels).map(|at| values[at % pixels * channels + at / pixels]).collect()
}

/// The values of a picture, `[channels, height, width]`.
enum Picture<'a> {
    Bytes(Cow<'a, [u8]>),
    Floats(Cow<'a, [f32]>),
}

/// Pictures that are read elsewhere, some at a time.
pub trait Pictures: Send + Sync {
    /// The pictures at `indices` as `[indices, channels, height, width]`, values in [−1, 1].
    ///
    /// # Errors
    /// Whatever keeps them from being read; the message names the file.
    fn read(&self, indices: &[usize]) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>>;
}

impl fmt::Debug for dyn Pictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pictures")
    }
}

impl Images {
    /// The PNG and JPEG files in a folder and the folders in it, by path. A folder counts once, whatever links lead to it.
    ///
    /// One channel if all are grey, else three. Nothing but the headers is read yet.
    ///
    /// # Errors
    /// No pictures, pictures of unequal size, of more than 4096×4096 pixels or with 16 bits a channel, files that cannot be read.
    pub fn folder(path: &Path) -> Result<Self, InputError> {
        let mut walk = Walk::default();
        walk.below(path)?;
        let mut files = walk.files;
        files.sort();
        let headers: Vec<_> = files.par_iter().map(|file| header(file)).collect::<Result<_, _>>()?;
        let Some(&(first, _)) = headers.first() else {
            return Err(InputError::invalid(path, "the folder", "holds no .png, .jpg or .jpeg file"));
        };
        if let Some(other) = headers.iter().position(|&(size, _)| size != first) {
            let ([h, w], [y, x]) = (first, headers[other].0);
            let reason = format!("is {y}×{x}, but {} is {h}×{w}", files[0].display());
            return Err(InputError::invalid(&files[other], "the picture", reason));
        }
        let channels = if headers.iter().all(|&(_, grey)| grey) { 1 } else { 3 };
        Ok(Self { shape: [channels, first[0], first[1]], store: Store::Files(files) })
    }

    /// Bytes of shape `[n, channels, height, width]`.
    ///
    /// # Panics
    /// If they are no whole pictures.
    pub fn bytes(values: Vec<u8>, shape: [usize; 3]) -> Self {
        assert!(values.len().is_multiple_of(shape.iter().product()), "{} bytes for {shape:?}", values.len());
        Self { shape, store: Store::Bytes(values) }
    }

    /// Values in [−1, 1] of shape `[n, channels, height, width]`.
    ///
    /// # Panics
    /// If they are no whole pictures.
    pub fn floats(values: Vec<f32>, shape: [usize; 3]) -> Self {
        assert!(values.len().is_multiple_of(shape.iter().product()), "{} values for {shape:?}", values.len());
        Self { shape, store: Store::Floats(values) }
    }

    /// Pictures that stay in their file.
    pub(crate) fn on_disk(pictures: OnDisk, shape: [usize; 3]) -> Self {
        Self { shape, store: Store::OnDisk(Arc::new(pictures)) }
    }

    /// `count` pictures that are read when they are needed.
    pub fn elsewhere(pictures: Arc<dyn Pictures>, count: usize, shape: [usize; 3]) -> Self {
        Self { shape, store: Store::Elsewhere { pictures, count } }
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        match &self.store {
            Store::Files(files) => files.len(),
            Store::Bytes(values) => values.len() / self.size(),
            Store::Floats(values) => values.len() / self.size(),
            Store::OnDisk(pictures) => pictures.array.shape()[0],
            Store::Elsewhere { count, .. } => *count,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pixels as rows, `[indices, channels × height × width]`, a byte x being x/127.5 − 1.
    ///
    /// # Errors
    /// Files that cannot be read or have changed.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    pub fn rows(&self, indices: &[usize]) -> Result<Array2<f32>, InputError> {
        let size = self.size();
        if let Some(values) = self.read_elsewhere(indices)? {
            return Ok(Array2::from_shape_vec((indices.len(), size), values).expect("whole rows"));
        }
        let mut values = vec![0.0; indices.len() * size];
        values.par_chunks_mut(size).zip(indices).try_for_each(|(row, &index)| -> Result<(), InputError> {
            match self.picture(index)? {
                Picture::Floats(values) => row.copy_from_slice(&values),
                Picture::Bytes(bytes) => {
                    let values = row.iter_mut().zip(&*bytes);
                    values.for_each(|(value, &byte)| *value = f32::from(byte) / 127.5 - 1.0);
                }
            }
            Ok(())
        })?;
        Ok(Array2::from_shape_vec((indices.len(), size), values).expect("whole rows"))
    }

    /// Whether they are floats of a file and none is below zero, as pictures in [0, 1] are and those in [−1, 1] hardly ever.
    pub(crate) fn not_negative(&self) -> bool {
        match &self.store {
            Store::Floats(values) => values.iter().all(|&value| value >= 0.0),
            Store::OnDisk(pictures) => pictures.not_negative,
            Store::Files(_) | Store::Bytes(_) | Store::Elsewhere { .. } => false,
        }
    }

    /// Bytes, `[indices, channels, height, width]`, as a feature network wants them.
    ///
    /// # Errors
    /// Files that cannot be read or have changed.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    pub fn quantised(&self, indices: &[usize], rule: Quantise) -> Result<Vec<u8>, InputError> {
        let size = self.size();
        if let Some(values) = self.read_elsewhere(indices)? {
            return Ok(values.into_iter().map(|value| rule.byte(value)).collect());
        }
        let mut bytes = vec![0; indices.len() * size];
        bytes.par_chunks_mut(size).zip(indices).try_for_each(|(row, &index)| -> Result<(), InputError> {
            match self.picture(index)? {
                Picture::Floats(values) => {
                    row.iter_mut().zip(&*values).for_each(|(byte, &value)| *byte = rule.byte(value));
                }
                Picture::Bytes(bytes) => row.copy_from_slice(&bytes),
            }
            Ok(())
        })?;
        Ok(bytes)
    }

    /// sha256 (hex) of the content: the shape as little-endian u64, then all values in order as little-endian f32, bytes
    /// being x/127.5 − 1. The same pictures give the same digest in whatever file they are.
    ///
    /// # Errors
    /// Files that cannot be read or have changed.
    pub fn digest(&self) -> Result<String, InputError> {
        let mut hash = Sha256::new();
        for length in [self.len()].into_iter().chain(self.shape) {
            hash.update((length as u64).to_le_bytes());
        }
        let all: Vec<usize> = (0..self.len()).collect();
        for some in all.chunks((DIGESTED / self.size()).clamp(1, 256)) {
            for value in &self.rows(some)? {
                hash.update(value.to_le_bytes());
            }
        }
        Ok(format!("{:x}", hash.finalize()))
    }

    fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values of pictures that someone else reads.
    fn read_elsewhere(&self, indices: &[usize]) -> Result<Option<Vec<f32>>, InputError> {
        let Store::Elsewhere { pictures, .. } = &self.store else { return Ok(None) };
        let values = pictures.read(indices).map_err(InputError::Elsewhere)?;
        assert_eq!(values.len(), indices.len() * self.size(), "pictures of {:?}", self.shape);
        Ok(Some(values))
    }

    /// One picture of those that nobody else reads.
    fn picture(&self, index: usize) -> Result<Picture<'_>, InputError> {
        let size = self.size();
        match &self.store {
            Store::Files(files) => Ok(Picture::Bytes(decode(&files[index], self.shape)?.into())),
            Store::Bytes(all) => Ok(Picture::Bytes(all[index * size..][..size].into())),
            Store::Floats(all) => Ok(Picture::Floats(all[index * size..][..size].into())),
            Store::OnDisk(pictures) => pictures.read(index, self.shape),
            Store::Elsewhere { .. } => unreachable!("they are read some at a time"),
        }
    }
}

/// What is found below a folder.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    /// Folders as they really are: a link to one of them would give its pictures twice, or go round in a circle.
    entered: HashSet<PathBuf>,
}

impl Walk {
    fn below(&mut self, folder: &Path) -> Result<(), InputError> {
        if !self.entered.insert(folder.canonicalize().map_err(InputError::read(folder))?) {
            return Ok(());
        }
        let entries = folder.read_dir().map_err(InputError::read(folder))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        let mut paths = paths.map_err(InputError::read(folder))?;
        // Folders before links, so that pictures have the paths of the folders that they are in.
        paths.sort_by_key(|path| (path.is_symlink(), path.clone()));
        for path in paths {
            let ending =
                path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
            if path.is_dir() {
                self.below(&path)?;
            } else if ["png", "jpg", "jpeg"].contains(&ending.as_str()) {
                self.files.push(path);
            }
        }
        Ok(())
    }
}

/// An error of a picture, with its path.
fn broken(path: &Path) -> impl FnOnce(PictureError) -> InputError {
    move |error| match error {
        PictureError::Io(error) => InputError::read(path)(error),
        error => InputError::invalid(path, "the picture", error),
    }
}

/// Height and width, and whether it is grey.
fn header(path: &Path) -> Result<([usize; 2], bool), InputError> {
    let invalid = |reason: String| InputError::invalid(path, "the picture", reason);
    let Header { height, width, color } = meanflow_pictures::header(path).map_err(broken(path))?;
    if height.max(width) > SIDE {
        return Err(invalid(format!("is {height}×{width}; {SIDE}×{SIDE} is the most that is scored")));
    }
    match color {
        ColorType::L8 | ColorType::La8 => Ok(([height, width], true)),
        ColorType::Rgb8 | ColorType::Rgba8 => Ok(([height, width], false)),
        other => Err(invalid(format!("its pixels are {other:?}; 8 bits a channel are wanted"))),
    }
}

/// A file as `[channels, height, width]`.
fn decode(path: &Path, [channels, height, width]: [usize; 3]) -> Result<Vec<u8>, InputError> {
    let invalid = |reason: String| InputError::invalid(path, "the picture", reason);
    let picture = meanflow_pictures::decode(path).map_err(broken(path))?;
    if (picture.height() as usize, picture.width() as usize) != (height, width) {
        return Err(invalid(format!(
            "is {}×{} now, not {height}×{width}",
            picture.height(),
            picture.width()
        )));
    }
    let clear = match &picture {
        DynamicImage::ImageLumaA8(pixels) => pixels.pixels().any(|pixel| pixel.0[1] != 255),
        DynamicImage::ImageRgba8(pixels) => pixels.pixels().any(|pixel| pixel.0[3] != 255),
        _ => false,
    };
    if clear {
        return Err(invalid("has transparent pixels; put it on a background first".to_owned()));
    }
    if channels == 1 {
        return Ok(picture.into_luma8().into_raw());
    }
    let pixels = picture.into_rgb8().into_raw();
    Ok((0..channels).flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied()).collect())
}
