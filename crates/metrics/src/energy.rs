//! The energy distance.

use ndarray::ArrayView2;

use crate::{
    MetricError,
    pairs::{Kernel, PairReference, PairSums},
    samples::{Rows, check_pair},
    tiles::mean_row,
};

/// The energy distance of two sets, as a V-statistic.
///
/// `E(a, b) = 2·mean|a_i − b_j| − mean|a_i − a_j| − mean|b_i − b_j|`, all pairs counted, `i = j` included, no square root
/// (G. J. Székely, M. L. Rizzo, "Energy statistics", J. Stat. Plan. Inference 143 (2013)). Never negative, zero for equal sets; the
/// V-statistic is biased upwards by O(1/n), which the data-against-data floor shows.
///
/// # Shapes
/// `a`: `[n, dimension]`, `b`: `[m, dimension]`; sizes may differ.
///
/// # Errors
/// Sets that are empty, of unequal dimension, or not finite.
pub fn energy_distance<T: Copy + Into<f64> + Sync>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) -> Result<f64, MetricError> {
    check_pair(a, b, 1)?;
    Ok(of(&reference(b.into()).sums(a, &[])[0]))
}

/// The real side of [`energy_distance`].
pub(crate) fn reference<T: Copy + Into<f64> + Sync>(real: Rows<'_, T>) -> PairReference<'_, T> {
    let centre = mean_row(real.view());
    PairReference::new(real, centre, Kernel::Distance)
}

pub(crate) fn of(sums: &PairSums) -> f64 {
    let energy = sums.energy();
    // Mathematically never negative; equal sets can come out a rounding below. (`max` would make zero of a NaN.)
    if energy < 0.0 { 0.0 } else { energy }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn two_and_one_points_by_hand() {
        // 2·(1 + 2)/2 − (0 + 1 + 1 + 0)/4 − 0
        let energy = energy_distance(array![[1.0], [2.0]].view(), array![[0.0]].view()).unwrap();
        assert!((energy - 2.5).abs() < 1e-15);
    }

    #[test]
    fn equal_sets_are_at_zero() {
        let a = Array2::from_shape_fn((200, 3), |(i, j)| ((i * 31 + j * 17) % 101) as f32);
        assert!(energy_distance(a.view(), a.view()).unwrap() < 1e-12);
    }

    #[test]
    fn refuses_what_is_not_finite() {
        let error = energy_distance(array![[0.0], [f32::INFINITY]].view(), array![[0.0]].view()).unwrap_err();
        let expected = MetricError::NotFinite { set: "the samples", row: 1, column: 0, value: "inf".into() };
        assert_eq!(error, expected);
    }
}
