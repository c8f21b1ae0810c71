//! The maximum mean discrepancy with a Gaussian kernel.

use ndarray::ArrayView2;

use crate::{
    MetricError,
    samples::check_pair,
    tiles::{Tile, mean_row, over_pairs, over_some_pairs},
};

/// The squared maximum mean discrepancy with the kernel `exp(−|x − y|²/(2h²))`, as the unbiased U-statistic.
///
/// A. Gretton et al., "A kernel two-sample test", JMLR 13 (2012), Lemma 6. Zero in the mean for sets of one law, so that it
/// can be negative. `bandwidth` is h; [`median_distance`] of the real data is the usual choice.
///
/// # Shapes
/// `a`: `[n, dimension]`, `b`: `[m, dimension]`; sizes may differ.
///
/// # Errors
/// Fewer than two samples, unequal dimensions, values that are not finite, a bandwidth that is not a positive number.
pub fn mmd_gaussian<T: Copy + Into<f64> + Sync>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    bandwidth: f64,
) -> Result<f64, MetricError> {
    check_pair(a, b, 2)?;
    if !(bandwidth > 0.0 && bandwidth.is_finite()) {
        return Err(MetricError::Positive { what: "the bandwidth", value: bandwidth.to_string() });
    }
    let scale = -0.5 / (bandwidth * bandwidth);
    let kernel = |tile: &Tile<'_>, i, j| (scale * tile.squared_distance(i, j)).exp();
    Ok(unbiased(a, b, &mean_row(b), kernel))
}

/// The median of the distances between the first 1,000 samples (each pair once), the usual bandwidth of a Gaussian kernel.
///
/// # Errors
/// Fewer than two samples, values that are not finite.
pub fn median_distance<T: Copy + Into<f64> + Sync>(samples: ArrayView2<'_, T>) -> Result<f64, MetricError> {
    let some = samples.slice(ndarray::s![..samples.nrows().min(1000), ..]);
    crate::samples::check(some, "the samples", 2)?;
    let distances = over_pairs(
        some,
        some,
        &mean_row(some),
        |_| Vec::new(),
        |distances, tile| {
            for (i, row) in tile.rows.clone().enumerate() {
                for (j, column) in tile.columns.clone().enumerate() {
                    if row < column {
                        distances.push(tile.squared_distance(i, j).sqrt());
                    }
                }
            }
        },
    );
    let mut distances = distances.concat();
    distances.sort_unstable_by(f64::total_cmp);
    Ok(distances[distances.len() / 2])
}

/// `mean_{i≠j} k(a_i, a_j) + mean_{i≠j} k(b_i, b_j) − 2·mean k(a_i, b_j)`, for sets of at least two.
pub(crate) fn unbiased<T: Copy + Into<f64> + Sync>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    centre: &[f64],
    kernel: impl Fn(&Tile<'_>, usize, usize) -> f64 + Sync,
) -> f64 {
    let sum = |a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, same: bool| -> f64 {
        // Of a set with itself the tiles below the diagonal repeat those above it.
        let sums = over_some_pairs(
            a,
            b,
            centre,
            |rows, columns| !same || rows.start <= columns.start,
            |_| 0.0,
            |sum, tile| {
                let mut part = 0.0;
                for (j, column) in tile.columns.clone().enumerate() {
                    for (i, row) in tile.rows.clone().enumerate() {
                        if !(same && row == column) {
                            part += kernel(tile, i, j);
                        }
                    }
                }
                *sum += if same && tile.rows.start < tile.columns.start { 2.0 * part } else { part };
            },
        );
        sums.into_iter().sum()
    };
    let (n, m) = (a.nrows() as f64, b.nrows() as f64);
    sum(a, a, true) / (n * (n - 1.0)) + sum(b, b, true) / (m * (m - 1.0)) - 2.0 * sum(a, b, false) / (n * m)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn three_and_two_points_by_hand() {
        let (a, b) = (array![[0.0], [1.0], [3.0]], array![[2.0], [2.5]]);
        let k = |x: f64, y: f64| (-(x - y) * (x - y) / (2.0 * 1.5 * 1.5)).exp();
        let aa = (k(0.0, 1.0) + k(0.0, 3.0) + k(1.0, 3.0)) / 3.0;
        let cross: f64 = [0.0, 1.0, 3.0].iter().map(|&x| k(x, 2.0) + k(x, 2.5)).sum();
        let expected = aa + k(2.0, 2.5) - 2.0 * cross / 6.0;
        assert!((mmd_gaussian(a.view(), b.view(), 1.5).unwrap() - expected).abs() < 1e-14);
        assert_eq!(median_distance(a.view()).unwrap(), 2.0);
    }

    #[test]
    fn sets_larger_than_a_tile_count_every_pair_once() {
        let a = Array2::from_shape_fn((600, 3), |(i, j)| ((i * 31 + j * 17 + i * i) % 101) as f32 / 50.0);
        let b = Array2::from_shape_fn((300, 3), |(i, j)| ((i * 7 + j * 29 + i * i) % 89) as f32 / 40.0);
        let kernel = |a: ndarray::ArrayView1<f32>, b: ndarray::ArrayView1<f32>| {
            let squared: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            (-squared / 2.0).exp()
        };
        let mean = |a: &Array2<f32>, b: &Array2<f32>, same: bool| {
            let mut sum = 0.0;
            for (i, x) in a.rows().into_iter().enumerate() {
                for (j, y) in b.rows().into_iter().enumerate() {
                    sum += if same && i == j { 0.0 } else { kernel(x, y) };
                }
            }
            let n = a.nrows() as f64;
            sum / (n * if same { n - 1.0 } else { b.nrows() as f64 })
        };
        let expected = mean(&a, &a, true) + mean(&b, &b, true) - 2.0 * mean(&a, &b, false);
        let found = mmd_gaussian(a.view(), b.view(), 1.0).unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn refuses() {
        let a = array![[0.0], [1.0]];
        let error = mmd_gaussian(a.view(), a.view(), 0.0).unwrap_err();
        assert_eq!(error.to_string(), "the bandwidth must be a positive number, got 0");
        let one = array![[0.0]];
        let error = mmd_gaussian(a.view(), one.view(), 1.0).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "the second set", needed: 2, got: 1 });
    }
}
