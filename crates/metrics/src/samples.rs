//! The one check that every metric makes of its input, and the conversion to f64.

use ndarray::{ArcArray2, Array2, ArrayView2};

use crate::MetricError;

/// Rows of a set, borrowed for a function or shared by those who keep them.
#[derive(Clone, Debug)]
pub(crate) enum Rows<'a, T> {
    Borrowed(ArrayView2<'a, T>),
    Shared(ArcArray2<T>),
}

impl<T> Rows<'_, T> {
    pub(crate) fn view(&self) -> ArrayView2<'_, T> {
        match self {
            Self::Borrowed(rows) => rows.view(),
            Self::Shared(rows) => rows.view(),
        }
    }
}

impl<'a, T> From<ArrayView2<'a, T>> for Rows<'a, T> {
    fn from(rows: ArrayView2<'a, T>) -> Self {
        Self::Borrowed(rows)
    }
}

impl<T> From<ArcArray2<T>> for Rows<'_, T> {
    fn from(rows: ArcArray2<T>) -> Self {
        Self::Shared(rows)
    }
}

/// Samples that are wanted as they are, and not copied: all finite, at least `needed` of them.
pub(crate) fn check<T: Copy + Into<f64>>(
    samples: ArrayView2<'_, T>,
    set: &'static str,
    needed: usize,
) -> Result<(), MetricError> {
    if samples.nrows() < needed {
        return Err(MetricError::TooFewSamples { what: set, needed, got: samples.nrows() });
    }
    if samples.ncols() == 0 {
        return Err(MetricError::Zero("dimensions"));
    }
    for ((row, column), &value) in samples.indexed_iter() {
        let value: f64 = value.into();
        if !value.is_finite() {
            return Err(MetricError::NotFinite { set, row, column, value: value.to_string() });
        }
    }
    Ok(())
}

/// What the second of two sets is called in errors; the first is [`SAMPLES`].
pub(crate) const REAL: &str = "the real data";

/// What is scored, in errors.
pub(crate) const SAMPLES: &str = "the samples";

/// [`check`] of two sets in the same space.
pub(crate) fn check_pair<T: Copy + Into<f64>>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    needed: usize,
) -> Result<(), MetricError> {
    check(a, SAMPLES, needed)?;
    check(b, REAL, needed)?;
    if a.ncols() != b.ncols() {
        return Err(MetricError::UnequalDimensions { first: a.ncols(), second: b.ncols() });
    }
    Ok(())
}

/// The samples as f64, all finite, at least `needed` of them.
pub(crate) fn checked<T: Copy + Into<f64>>(
    samples: ArrayView2<'_, T>,
    set: &'static str,
    needed: usize,
) -> Result<Array2<f64>, MetricError> {
    check(samples, set, needed)?;
    // `Array2::from_shape_fn` walks in standard layout, so rows are contiguous whatever the view's strides are.
    Ok(Array2::from_shape_fn(samples.dim(), |at| samples[at].into()))
}

/// Two sets in the same space, as f64, each of at least `needed` samples.
pub(crate) fn checked_pair<T: Copy + Into<f64>>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    needed: usize,
) -> Result<(Array2<f64>, Array2<f64>), MetricError> {
    check_pair(a, b, needed)?;
    Ok((checked(a, SAMPLES, needed)?, checked(b, REAL, needed)?))
}

/// Squared Euclidean distance of two rows.
pub(crate) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Rows of a matrix made by [`checked`], as slices.
pub(crate) fn rows(matrix: &Array2<f64>) -> Vec<&[f64]> {
    let columns = matrix.ncols();
    let all = matrix.as_slice().expect("made in standard layout");
    all.chunks_exact(columns).collect()
}
