//! What a dataset is to the rest of the project.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::DataError;

/// A finite set of samples of one shape, in memory or on disk, read by index from any thread.
pub trait Dataset: Send + Sync {
    /// The dataset's name as the registry and reports spell it.
    fn name(&self) -> &str;

    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one sample, `[channels, height, width]`; `[2, 1, 1]` for points of the plane.
    fn shape(&self) -> [usize; 3];

    /// Number of classes, or `None` if samples carry no labels.
    fn classes(&self) -> Option<usize>;

    /// Writes sample `index` into `sample`, laid out as `[channels, height, width]`: images in [−1, 1],
    /// points scaled to about unit variance.
    ///
    /// # Errors
    /// If a set that lives on disk cannot be read; sets in memory never fail.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len), or `sample` is not of the shape's size.
    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError>;

    /// Writes sample `index` as it comes up in training: [`read`](Self::read), mirrored left to right where the
    /// view says so. A set that stores distributions draws from them, keyed by the view.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    ///
    /// # Panics
    /// As [`read`](Self::read).
    fn read_view(&self, index: usize, view: View, sample: &mut [f32]) -> Result<(), DataError> {
        self.read(index, sample)?;
        if view.mirrored {
            sample.chunks_exact_mut(self.shape()[2]).for_each(<[f32]>::reverse);
        }
        Ok(())
    }

    /// Which samples are stored together, if reading one of them costs as much as reading all: the loader
    /// then stays within a few blocks at a time.
    fn blocks(&self) -> Option<Blocks> {
        None
    }

    /// What is to be written down of each sample for [`read_view`](Self::read_view) to be possible again.
    fn fields(&self) -> Vec<Field> {
        vec![Field { name: "images", element: Element::F32, shape: self.shape() }]
    }

    /// Writes one of the [`fields`](Self::fields) of sample `index`, as it is stored.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    ///
    /// # Panics
    /// As [`read`](Self::read), or if there is no such field.
    fn read_field(&self, field: usize, index: usize, values: &mut [f32]) -> Result<(), DataError> {
        assert_eq!(field, 0, "a field that is not there");
        self.read(index, values)
    }

    /// Class of sample `index`, below [`classes`](Self::classes); `None` exactly if there are no classes.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    fn label(&self, index: usize) -> Option<usize>;

    /// sha256 (hex) of the raw data: the same data gives the same digest wherever it lies and however it was
    /// compressed.
    fn digest(&self) -> String;

    /// Samples to score against that are independent of the ones [`read`](Self::read) gives, row after row;
    /// draws 1, 2, … have no sample in common.
    ///
    /// A density makes `count` fresh ones. A finite set deals out the samples it set aside, in a keyed order: as
    /// many of `count` as are left after the earlier draws of this count; `None` if it set none aside, and then
    /// only the samples themselves are there to compare with.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    fn held_out(&self, count: usize, draw: u64) -> Result<Option<Vec<f32>>, DataError>;

    /// The density that points are drawn from, where it is a mixture of Gaussians.
    fn gaussians(&self) -> Option<Gaussians> {
        None
    }

    /// Files beside those of the set that were passed over, counted by the ending of their names.
    fn passed_over(&self) -> BTreeMap<String, usize> {
        BTreeMap::new()
    }

    /// The samples that were set aside, with their labels, as a set of their own; `None` if none were.
    fn set_aside(&self) -> Option<Arc<dyn Dataset>> {
        None
    }
}

/// sha256 (hex) of numbers, little-endian: a digest for a set that is made and not read.
pub fn digest_of(values: impl IntoIterator<Item = f32>) -> String {
    let mut hash = Sha256::new();
    values.into_iter().for_each(|value| hash.update(value.to_le_bytes()));
    format!("{:x}", hash.finalize())
}

/// A mixture of Gaussians in the plane, each as likely.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussians {
    /// Their means.
    pub centres: Vec<[f64; 2]>,
    /// Standard deviation of each coordinate.
    pub std: f64,
}

/// How a sample is varied in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The run's seed.
    pub seed: u64,
    /// The epoch; a sample has another view in each.
    pub epoch: u64,
    /// Mirrored left to right.
    pub mirrored: bool,
}

/// How a dataset on disk is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Samples that are read together; the blocks follow each other and cover the dataset.
    pub ranges: Vec<Range<usize>>,
    /// Number of blocks that the dataset holds in memory.
    pub window: usize,
}

/// An array that a dataset stores for each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in an HDF5 file.
    pub name: &'static str,
    /// What its values are.
    pub element: Element,
    /// Shape of a sample's part, `[channels, height, width]`.
    pub shape: [usize; 3],
}

/// Type of the values of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Bytes; x stands for x/127.5 − 1.
    U8,
    /// Single precision.
    F32,
}

/// The samples at `indices`, row after row: `[indices, channels, height, width]`.
///
/// # Errors
/// Those of [`Dataset::read`].
pub fn read_rows(
    dataset: &dyn Dataset,
    indices: impl IntoIterator<Item = usize>,
) -> Result<Vec<f32>, DataError> {
    let size: usize = dataset.shape().iter().product();
    let indices: Vec<usize> = indices.into_iter().collect();
    let mut rows = vec![0.0; indices.len() * size];
    let mut places: Vec<(usize, &mut [f32])> = indices.into_iter().zip(rows.chunks_exact_mut(size)).collect();
    // In the order of the dataset and not far apart, for sets that are stored in blocks.
    places.sort_unstable_by_key(|(index, _)| *index);
    for places in places.chunks_mut(256) {
        let read: Vec<Result<(), DataError>> =
            places.par_iter_mut().map(|(index, row)| dataset.read(*index, row)).collect();
        read.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(rows)
}

/// Indices of `count` samples whose labels run 0, 1, 2, … in turn, each class in the dataset's order and from
/// its start again when it runs out.
///
/// Without labels, or if a class has no sample, the first `count` indices (again from the start if there are
/// fewer). Empty for an empty dataset.
pub fn labels_in_turn(dataset: &dyn Dataset, count: usize) -> Vec<usize> {
    if dataset.is_empty() {
        return Vec::new();
    }
    let mut members = vec![Vec::new(); dataset.classes().unwrap_or(0)];
    for index in 0..dataset.len() {
        if let Some(label) = dataset.label(index) {
            members[label].push(index);
        }
    }
    if members.is_empty() || members.iter().any(Vec::is_empty) {
        return (0..count).map(|i| i % dataset.len()).collect();
    }
    (0..count)
        .map(|i| {
            let class = &members[i % members.len()];
            class[(i / members.len()) % class.len()]
        })
        .collect()
}
