//! The energy distance.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::{
    MetricError,
    samples::{checked_pair, rows, squared_distance},
};

/// Rows whose sums one task adds up. Fixed, so that the order of additions does not depend on the number of threads.
const ROWS_PER_TASK: usize = 64;

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
pub fn energy_distance<T: Copy + Into<f64>>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) -> Result<f64, MetricError> {
    let (a, b) = checked_pair(a, b, 1)?;
    let energy = 2.0 * mean_distance(&a, &b) - mean_distance(&a, &a) - mean_distance(&b, &b);
    // Mathematically never negative; equal sets can come out a rounding below.
    Ok(energy.max(0.0))
}

fn mean_distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let (a, b) = (rows(a), rows(b));
    let sums: Vec<f64> = a
        .par_chunks(ROWS_PER_TASK)
        .map(|some| some.iter().map(|a| b.iter().map(|b| squared_distance(a, b).sqrt()).sum::<f64>()).sum())
        .collect();
    sums.iter().sum::<f64>() / (a.len() as f64 * b.len() as f64)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

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
        let expected =
            MetricError::NotFinite { set: "the first set", row: 1, column: 0, value: "inf".into() };
        assert_eq!(error, expected);
    }
}
