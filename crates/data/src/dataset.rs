//! What a dataset is to the rest of the project.

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

    /// Class of sample `index`, below [`classes`](Self::classes); `None` exactly if there are no classes.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    fn label(&self, index: usize) -> Option<usize>;

    /// sha256 (hex) of the raw data: the same data gives the same digest wherever it lies and however it was
    /// compressed.
    fn digest(&self) -> String;

    /// Samples to score against that are independent of the ones [`read`](Self::read) gives, row after row;
    /// different `seed`s give different draws.
    ///
    /// A density makes `count` fresh ones. A finite set gives a keyed choice of `count` of the samples it set
    /// aside, or all of them if it has fewer; `None` if it set none aside, and then only the samples
    /// themselves are there to compare with.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    fn held_out(&self, count: usize, seed: u64) -> Result<Option<Vec<f32>>, DataError>;
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
    let mut rows = Vec::new();
    for index in indices {
        let start = rows.len();
        rows.resize(start + size, 0.0);
        dataset.read(index, &mut rows[start..])?;
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
