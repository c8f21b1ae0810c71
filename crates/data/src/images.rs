//! Images in memory with optional labels: what sets that are small become.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::dataset::{Dataset, Element, Field};
use crate::error::DataError;
use crate::held_out::{self, HeldOut};
use crate::idx::{self, IdxBytes, IdxImages};
use crate::kind::Description;

/// Images, kept as bytes; a value x becomes x/127.5 − 1.
pub(crate) struct Images {
    /// The dataset's name.
    pub name: &'static str,
    /// Colour planes of an image.
    pub channels: usize,
    /// Height and width as stored.
    pub size: [usize; 2],
    /// Height and width with a black border.
    pub padded: [usize; 2],
    /// `[images, channels, height, width]`.
    pub bytes: Vec<u8>,
    /// Classes, if there are any.
    pub labels: Option<Labels>,
    /// sha256 of the raw data.
    pub digest: String,
}

/// Classes of images.
pub(crate) struct Labels {
    /// Of each image, below `classes`.
    pub of_items: Vec<u8>,
    /// Number of classes.
    pub classes: usize,
}

/// How a dataset of IDX files is to be read.
pub(crate) struct Reading<'a> {
    /// The dataset's name.
    pub name: &'static str,
    /// The images.
    pub images: IdxBytes<'a>,
    /// The labels, and the number of classes if it is known.
    pub labels: Option<(IdxBytes<'a>, Option<usize>)>,
    /// Height and width that the images must have, if they are known.
    pub expected: Option<[usize; 2]>,
    /// Side of the square to pad to.
    pub size: Option<usize>,
    /// Fraction to set aside.
    pub held_out: f64,
}

impl Reading<'_> {
    /// Reads and checks the files.
    pub fn open(self) -> Result<Arc<dyn Dataset>, DataError> {
        let path = self.images.path();
        let mut hash = Sha256::new();
        let IdxImages { count, size, pixels } = idx::read_images(self.images, &mut hash)?;
        if let Some(expected) = self.expected
            && expected != size
        {
            return Err(DataError::ImageSize { path: path.to_path_buf(), expected, found: size });
        }
        let padded = padded(size, self.size)?;
        let labels = match self.labels {
            None => None,
            Some((source, classes)) => {
                Some(check_labels(path, source.path(), count, idx::read_labels(source, &mut hash)?, classes)?)
            }
        };
        let digest = format!("{:x}", hash.finalize());
        HeldOut::split(
            Arc::new(Images { name: self.name, channels: 1, size, padded, bytes: pixels, labels, digest }),
            self.held_out,
        )
    }
}

fn check_labels(
    images: &Path,
    path: &Path,
    count: usize,
    labels: Vec<u8>,
    classes: Option<usize>,
) -> Result<Labels, DataError> {
    if labels.len() != count {
        return Err(DataError::LabelCount {
            images: images.to_path_buf(),
            labels: path.to_path_buf(),
            expected: count,
            found: labels.len(),
        });
    }
    let classes = classes.unwrap_or_else(|| class_count(&labels));
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(item) => {
            Err(DataError::LabelRange { path: path.to_path_buf(), item, label: labels[item].into(), classes })
        }
        None => Ok(Labels { of_items: labels, classes }),
    }
}

/// The value that a byte stands for.
pub(crate) fn value(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

/// One more than the largest label.
pub(crate) fn class_count(labels: &[u8]) -> usize {
    labels.iter().max().map_or(0, |&label| usize::from(label) + 1)
}

/// Height and width after padding images of `size` to a square of side `to`.
fn padded(size: [usize; 2], to: Option<usize>) -> Result<[usize; 2], DataError> {
    let Some(to) = to else { return Ok(size) };
    let fits = size.iter().all(|&side| side <= to) && to <= 4096;
    DataError::require(
        fits,
        "size",
        to,
        &format!("images of {}×{} can only be padded, to at most 4096", size[0], size[1]),
    )?;
    Ok([to, to])
}

/// What a set of `count` images of `size` will be, with the settings checked.
pub(crate) fn describe(
    count: Option<usize>,
    size: [usize; 2],
    classes: Option<usize>,
    to: Option<usize>,
    fraction: f64,
) -> Result<Description, DataError> {
    held_out::check(fraction)?;
    let [height, width] = padded(size, to)?;
    Ok(Description {
        shape: [1, height, width],
        classes,
        items: count.map(|count| held_out::kept(count, fraction)),
    })
}

impl Dataset for Images {
    fn name(&self) -> &str {
        self.name
    }

    fn len(&self) -> usize {
        self.bytes.len() / (self.channels * self.size[0] * self.size[1])
    }

    fn shape(&self) -> [usize; 3] {
        [self.channels, self.padded[0], self.padded[1]]
    }

    fn classes(&self) -> Option<usize> {
        self.labels.as_ref().map(|labels| labels.classes)
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        let [height, width] = self.size;
        let [padded_height, padded_width] = self.padded;
        assert_eq!(
            sample.len(),
            self.channels * padded_height * padded_width,
            "a buffer of another size than {:?}",
            self.shape()
        );
        // The border is black, as the background of these sets is; an odd pixel goes right and below.
        sample.fill(-1.0);
        let (top, left) = ((padded_height - height) / 2, (padded_width - width) / 2);
        let image = &self.bytes[index * self.channels * height * width..];
        let planes = sample.chunks_exact_mut(padded_height * padded_width);
        for (plane, bytes) in planes.zip(image.chunks_exact(height * width)) {
            for (y, row) in bytes.chunks_exact(width).enumerate() {
                for (to, &from) in plane[(top + y) * padded_width + left..].iter_mut().zip(row) {
                    *to = value(from);
                }
            }
        }
        Ok(())
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field { name: "images", element: Element::U8, shape: self.shape() }]
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.as_ref().map(|labels| labels.of_items[index].into())
    }

    /// sha256 of what was read, unpacked: of IDX files the images followed, with labels, by the labels.
    fn digest(&self) -> String {
        self.digest.clone()
    }

    fn held_out(&self, _count: usize, _seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}
