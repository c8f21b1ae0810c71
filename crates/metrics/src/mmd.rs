//! The maximum mean discrepancy with a Gaussian kernel.

use ndarray::{ArrayView2, Axis};

use crate::{
    MetricError,
    draws::Draw,
    pairs::{Kernel, PairReference},
    samples::{Rows, SAMPLES, check, check_pair},
    tiles::{mean_row, over_pairs},
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
    Ok(reference(b.into(), bandwidth)?.sums(a, &[])[0].unbiased())
}

/// The real side of [`mmd_gaussian`].
pub(crate) fn reference<T: Copy + Into<f64> + Sync>(
    real: Rows<'_, T>,
    bandwidth: f64,
) -> Result<PairReference<'_, T>, MetricError> {
    if !(bandwidth > 0.0 && bandwidth.is_finite()) {
        return Err(MetricError::Positive { what: "the bandwidth", value: bandwidth.to_string() });
    }
    let centre = mean_row(real.view());
    Ok(PairReference::new(real, centre, Kernel::Gaussian { scale: -0.5 / (bandwidth * bandwidth) }))
}

/// The median of the distances between samples (each pair once, the mean of the two in the middle), the usual bandwidth of a
/// Gaussian kernel. Of more than 1,000 samples, it is that of a choice of 1,000 keyed by `seed`.
///
/// # Errors
/// Fewer than two samples, values that are not finite.
pub fn median_distance<T: Copy + Into<f64> + Sync>(
    samples: ArrayView2<'_, T>,
    seed: u64,
) -> Result<f64, MetricError> {
    check(samples, SAMPLES, 2)?;
    let n = samples.nrows();
    let some = samples.select(Axis(0), &Draw::Bandwidth.choice(n, n.min(1000), seed));
    let distances = over_pairs(
        some.view(),
        some.view(),
        &mean_row(some.view()),
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
    let middle = distances.len() / 2;
    Ok(match distances.len() % 2 {
        0 => 0.5 * (distances[middle - 1] + distances[middle]),
        _ => distances[middle],
    })
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
        assert_eq!(median_distance(a.view(), 0).unwrap(), 2.0);
        // Distances 1, 1, 2, 2, 3, 4.
        let four = array![[0.0], [1.0], [2.0], [4.0]];
        assert_eq!(median_distance(four.view(), 0).unwrap(), 2.0);
        // Distances 1, 1, 1.5, 2, 2.5, 3.5: between 1.5 and 2.
        let four = array![[0.0], [1.0], [2.0], [3.5]];
        assert_eq!(median_distance(four.view(), 0).unwrap(), 1.75);
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
    fn the_bandwidth_is_of_a_choice_and_not_of_the_first() {
        // The first thousand are all the same.
        let rows = Array2::from_shape_fn((4000, 1), |(i, _)| if i < 1000 { 0.0 } else { (i % 10) as f64 });
        let median = median_distance(rows.view(), 1).unwrap();
        assert!((2.0..=4.0).contains(&median), "{median}");
        assert_eq!(median_distance(rows.view(), 1).unwrap(), median);
    }

    #[test]
    fn refuses() {
        let a = array![[0.0], [1.0]];
        let error = mmd_gaussian(a.view(), a.view(), 0.0).unwrap_err();
        assert_eq!(error.to_string(), "the bandwidth must be a positive number, got 0");
        let one = array![[0.0]];
        let error = mmd_gaussian(a.view(), one.view(), 1.0).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "the real data", needed: 2, got: 1 });
    }
}
