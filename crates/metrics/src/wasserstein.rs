//! The exact 2-Wasserstein distance of two equal-sized sets.

use ndarray::{Array2, ArrayView2};

use crate::{
    MetricError,
    samples::{checked_pair, rows, squared_distance},
};

/// Points of a set that [`wasserstein2`] takes at most: the distances of all pairs are 2 GiB then.
pub const W2_MOST: usize = 1 << 14;

/// The exact 2-Wasserstein distance of two empirical measures of equal size.
///
/// `W2(a, b) = sqrt(min over permutations π of (1/n) Σ_i |a_i − b_π(i)|²)`: between uniform measures on n points each, an
/// optimal plan is a permutation (Birkhoff), so the assignment problem is the transport problem. Costs n² × 8 bytes and
/// O(n³) time at worst; about a second for n = 2,000, and no more than 16,384 points.
///
/// # Shapes
/// `a`, `b`: `[n, dimension]`.
///
/// # Errors
/// Sets that are empty, too large, of unequal size or dimension, or not finite.
pub fn wasserstein2<T: Copy + Into<f64>>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) -> Result<f64, MetricError> {
    let (a, b) = checked_pair(a, b, 1)?;
    if a.nrows() != b.nrows() {
        return Err(MetricError::UnequalSizes { metric: "w2", first: a.nrows(), second: b.nrows() });
    }
    let n = a.nrows();
    if n > W2_MOST {
        return Err(MetricError::TooManySamples { metric: "w2", got: n, limit: W2_MOST });
    }
    let (a, b) = (rows(&a), rows(&b));
    let costs = Array2::from_shape_fn((n, n), |(i, j)| squared_distance(a[i], b[j]));
    Ok((crate::assign(costs.view())?.cost / n as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn a_translation_moves_every_point_by_its_length() {
        let a = Array2::from_shape_fn((40, 2), |(i, j)| ((i * 7 + j * 13) % 19) as f64 / 5.0);
        let b = &a + &array![[3.0, -4.0]];
        assert!((wasserstein2(a.view(), b.view()).unwrap() - 5.0).abs() < 1e-12);
        assert_eq!(wasserstein2(a.view(), a.slice(ndarray::s![..;-1, ..])).unwrap(), 0.0);
    }

    #[test]
    fn refuses() {
        let a = Array2::<f32>::zeros((3, 2));
        let error = wasserstein2(a.view(), Array2::zeros((2, 2)).view()).unwrap_err();
        assert_eq!(error, MetricError::UnequalSizes { metric: "w2", first: 3, second: 2 });
        let error = wasserstein2(a.view(), Array2::zeros((3, 1)).view()).unwrap_err();
        assert_eq!(error, MetricError::UnequalDimensions { first: 2, second: 1 });
        let many = Array2::<f32>::zeros((100_000, 2));
        let error = wasserstein2(many.view(), many.view()).unwrap_err();
        assert_eq!(error, MetricError::TooManySamples { metric: "w2", got: 100_000, limit: W2_MOST });
        let empty = Array2::<f32>::zeros((0, 2));
        let error = wasserstein2(empty.view(), empty.view()).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "the samples", needed: 1, got: 0 });
    }
}
