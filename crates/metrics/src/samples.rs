//! The one check that every metric makes of its input, and the conversion to f64.

use ndarray::{Array2, ArrayView2};

use crate::MetricError;

/// The samples as f64, all finite, at least `needed` of them.
pub(crate) fn checked<T: Copy + Into<f64>>(
    samples: ArrayView2<'_, T>,
    set: &'static str,
    needed: usize,
) -> Result<Array2<f64>, MetricError> {
    if samples.nrows() < needed {
        return Err(MetricError::TooFewSamples { what: set, needed, got: samples.nrows() });
    }
    if samples.ncols() == 0 {
        return Err(MetricError::Zero("dimensions"));
    }
    // `Array2::from_shape_fn` walks in standard layout, so rows are contiguous whatever the view's strides are.
    let rows = Array2::from_shape_fn(samples.dim(), |at| samples[at].into());
    match rows.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, column), value)) => {
            Err(MetricError::NotFinite { set, row, column, value: value.to_string() })
        }
        None => Ok(rows),
    }
}

/// Two sets in the same space, as f64, each of at least `needed` samples.
pub(crate) fn checked_pair<T: Copy + Into<f64>>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    needed: usize,
) -> Result<(Array2<f64>, Array2<f64>), MetricError> {
    let a = checked(a, "the first set", needed)?;
    let b = checked(b, "the second set", needed)?;
    if a.ncols() != b.ncols() {
        return Err(MetricError::UnequalDimensions { first: a.ncols(), second: b.ncols() });
    }
    Ok((a, b))
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
