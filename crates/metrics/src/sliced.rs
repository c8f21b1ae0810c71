//! The sliced 2-Wasserstein distance.

use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
use ndarray::{Array2, ArrayView2};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::{
    MetricError,
    samples::{checked_pair, rows},
};

/// Directions of `sliced_w2` and `sw2`.
pub(crate) const PROJECTIONS: usize = 256;

/// The sliced 2-Wasserstein distance of two sets of equal size.
///
/// `SW2(a, b) = sqrt(mean over directions θ of W2²(θ·a, θ·b))`, where a one-dimensional W2 pairs the sorted projections
/// (N. Bonneel et al., "Sliced and Radon Wasserstein barycenters of measures", J. Math. Imaging Vis. 51 (2015)). The
/// `projections` directions are uniform on the sphere, from ChaCha8 keyed by `seed`. At most W2/√dimension in the mean.
///
/// # Shapes
/// `a`, `b`: `[n, dimension]`.
///
/// # Errors
/// Sets that are empty, of unequal size or dimension, or not finite; no projections.
pub fn sliced_wasserstein2<T: Copy + Into<f64>>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    projections: usize,
    seed: u64,
) -> Result<f64, MetricError> {
    if projections == 0 {
        return Err(MetricError::Zero("projections"));
    }
    let (a, b) = checked_pair(a, b, 1)?;
    if a.nrows() != b.nrows() {
        return Err(MetricError::UnequalSizes { metric: "sliced_w2", first: a.nrows(), second: b.nrows() });
    }
    // Collected in the order of the directions, so the sum does not depend on the number of threads.
    let squares: Vec<f64> = directions(a.ncols(), projections, seed)
        .par_iter()
        .map(|direction| {
            let (a, b) = (projected(&a, direction), projected(&b, direction));
            a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / a.len() as f64
        })
        .collect();
    Ok((squares.iter().sum::<f64>() / projections as f64).sqrt())
}

/// Uniform directions on the unit sphere: normalised Gaussians.
fn directions(dimension: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let gaussian: Vec<f64> = (0..dimension).map(|_| StandardNormal.sample(&mut rng)).collect();
            let norm = gaussian.iter().map(|x| x * x).sum::<f64>().sqrt();
            gaussian.iter().map(|x| x / norm).collect()
        })
        .collect()
}

fn projected(samples: &Array2<f64>, direction: &[f64]) -> Vec<f64> {
    let mut along: Vec<f64> =
        rows(samples).iter().map(|row| row.iter().zip(direction).map(|(x, d)| x * d).sum()).collect();
    along.sort_unstable_by(f64::total_cmp);
    along
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn in_one_dimension_it_is_w2() {
        let a = Array2::from_shape_fn((30, 1), |(i, _)| ((i * 11) % 30) as f64 * 0.1);
        let b = Array2::from_shape_fn((30, 1), |(i, _)| ((i * 7) % 30) as f64 * 0.3 - 1.0);
        let sliced = sliced_wasserstein2(a.view(), b.view(), 3, 0).unwrap();
        assert!((sliced - crate::wasserstein2(a.view(), b.view()).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn a_translation_is_scaled_by_the_root_of_the_dimension() {
        // mean of (θ·s)² over the sphere is |s|²/dimension.
        let a = Array2::from_shape_fn((50, 2), |(i, j)| ((i * 7 + j * 13) % 19) as f64);
        let b = &a + &array![[3.0, 4.0]];
        let sliced = sliced_wasserstein2(a.view(), b.view(), 20_000, 1).unwrap();
        assert!((sliced - 5.0 / 2f64.sqrt()).abs() < 0.05, "{sliced}");
    }

    #[test]
    fn the_seed_decides() {
        let a = Array2::from_shape_fn((50, 2), |(i, j)| ((i * 7 + j * 13) % 19) as f64);
        let b = Array2::from_shape_fn((50, 2), |(i, j)| ((i * 5 + j * 3) % 23) as f64);
        let of = |seed| sliced_wasserstein2(a.view(), b.view(), 16, seed).unwrap();
        assert_eq!(of(3).to_bits(), of(3).to_bits());
        assert_ne!(of(3), of(4));
        let error = sliced_wasserstein2(a.view(), b.view(), 0, 0).unwrap_err();
        assert_eq!(error, MetricError::Zero("projections"));
    }
}
