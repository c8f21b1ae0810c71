//! The kernel inception distance.

use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
use ndarray::{ArrayView2, Axis};

use crate::{
    MetricError,
    halves::{halves, squared_error},
    pairs::{Kernel, PairReference},
    samples::{Rows, check_pair},
};

/// The result of [`kid_subsets`].
#[derive(Clone, Debug, PartialEq)]
pub struct KidSubsets {
    /// Mean over the subsets: the number that is published as KID.
    pub mean: f64,
    /// Standard deviation over the subsets (divided by their number): the spread of one subset and not of the mean.
    pub std: f64,
    /// The value of each subset.
    pub values: Vec<f64>,
}

/// The kernel inception distance of all samples: the unbiased squared maximum mean discrepancy with the kernel
/// `(x·y/dimension + 1)³`.
///
/// M. Bińkowski et al., "Demystifying MMD GANs", ICLR 2018. It is the KID of the literature when the features are those of
/// the FID's network. Zero in the mean for sets of one law, so that it can be negative; unlike the Fréchet distance it has
/// no bias that depends on n.
///
/// # Shapes
/// `a`: `[n, dimension]`, `b`: `[m, dimension]`; sizes may differ.
///
/// # Errors
/// Fewer than two samples, unequal dimensions, values that are not finite.
pub fn kid<T: Copy + Into<f64> + Sync>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) -> Result<f64, MetricError> {
    check_pair(a, b, 2)?;
    Ok(reference(b.into()).sums(a, &[])[0].unbiased())
}

/// [`kid`] of `subsets` pairs of subsets of `size` samples, each drawn without replacement: the published estimator, with
/// 100 subsets of 1,000.
///
/// Subset k takes its rows from ChaCha8 keyed by `seed`, in the order `a`, `b`. The spread of the values has the draw of both
/// sides in it, so that it is no error of the mean for new samples and the same real data.
///
/// # Errors
/// Those of [`kid`], a set smaller than `size`, no subsets.
pub fn kid_subsets<T: Copy + Into<f64> + Sync>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    subsets: usize,
    size: usize,
    seed: u64,
) -> Result<KidSubsets, MetricError> {
    Ok(with_error(a, b, subsets, size, seed, 0)?.0)
}

/// [`kid_subsets`], and the standard error of its mean for other `a` from the same source and the same `b`, from `repeats`
/// halves of each subset of `a`; `None` for fewer than two halves or subsets of fewer than eight.
///
/// Within a subset of size s the halves meet the same subset of `b`, so that the draw of `b` is left out; their spread gives
/// the squared error `e²` of one subset's value (the delete-d jackknife of the other scores). The mean over S subsets,
/// each without replacement from n samples, has `e²·(s/n + (1 − s/n)/S)`: the draw of the samples, and that of the subsets
/// from them.
pub(crate) fn with_error<T: Copy + Into<f64> + Sync>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    subsets: usize,
    size: usize,
    seed: u64,
    repeats: usize,
) -> Result<(KidSubsets, Option<f64>), MetricError> {
    if subsets == 0 {
        return Err(MetricError::Zero("subsets"));
    }
    if size < 2 {
        return Err(MetricError::TooFewSamples { what: "a subset", needed: 2, got: size });
    }
    check_pair(a, b, size)?;
    let halves = halves(size, if size < 8 { 0 } else { repeats }, seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut values, mut squares) = (Vec::new(), Vec::new());
    for _ in 0..subsets {
        let mut some = |set: ArrayView2<'_, T>| {
            let rows = rand::seq::index::sample(&mut rng, set.nrows(), size).into_vec();
            set.select(Axis(0), &rows)
        };
        let (a, b) = (some(a), some(b));
        let sums = reference(b.view().into()).sums(a.view(), &halves);
        let found: Vec<f64> = sums.iter().map(|sums| sums.unbiased()).collect();
        values.push(found[0]);
        squares.extend(squared_error(&found[1..], size / 2, size));
    }
    let count = subsets as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    let share = size as f64 / a.nrows() as f64;
    let error = (!squares.is_empty())
        .then(|| (squares.iter().sum::<f64>() / count * (share + (1.0 - share) / count)).sqrt());
    Ok((KidSubsets { mean, std: variance.sqrt(), values }, error))
}

/// The real side of [`kid`].
pub(crate) fn reference<T: Copy + Into<f64> + Sync>(real: Rows<'_, T>) -> PairReference<'_, T> {
    let dimension = real.view().ncols();
    PairReference::new(real, vec![0.0; dimension], Kernel::Cubic { dimension: dimension as f64 })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn features(n: usize, shift: f32) -> Array2<f32> {
        Array2::from_shape_fn((n, 20), |(i, j)| {
            ((i * 37 + j * j * 11 + i * i * j) % 97) as f32 / 50.0 + shift
        })
    }

    #[test]
    fn two_and_two_rows_by_hand() {
        let (a, b) = (array![[1.0, 0.0], [0.0, 2.0]], array![[1.0, 1.0], [2.0, 0.0]]);
        // k(a,a') = 1, k(b,b') = (2/2 + 1)³ = 8; across: (1/2+1)³, (2/2+1)³, (2/2+1)³, 1
        let expected = 1.0 + 8.0 - 2.0 * (3.375 + 8.0 + 8.0 + 1.0) / 4.0;
        assert!((kid(a.view(), b.view()).unwrap() - expected).abs() < 1e-14);
    }

    #[test]
    fn the_only_subset_of_all_samples_is_all_samples() {
        let (a, b) = (features(300, 0.0), features(300, 0.1));
        let whole = kid(a.view(), b.view()).unwrap();
        let one = kid_subsets(a.view(), b.view(), 3, 300, 5).unwrap();
        assert!((one.mean - whole).abs() < 1e-12 * whole.abs(), "{one:?} {whole}");
        assert!(one.std < 1e-12);
        let some = |seed| kid_subsets(a.view(), b.view(), 20, 100, seed).unwrap();
        assert_eq!(some(1), some(1));
        assert_ne!(some(1).mean, some(2).mean);
        assert!((some(1).mean - whole).abs() < 4.0 * some(1).std / 20f64.sqrt(), "{:?} {whole}", some(1));
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let (a, b) = (features(700, 0.0), features(600, 0.1));
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| kid(a.view(), b.view()).unwrap().to_bits())
        };
        assert_eq!(bits(1), bits(3));
    }

    #[test]
    fn refuses() {
        let a = features(10, 0.0);
        let error = kid_subsets(a.view(), a.view(), 10, 11, 0).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "the samples", needed: 11, got: 10 });
        assert_eq!(kid_subsets(a.view(), a.view(), 0, 5, 0).unwrap_err(), MetricError::Zero("subsets"));
        let error = kid_subsets(a.view(), a.view(), 1, 1, 0).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "a subset", needed: 2, got: 1 });
        let error = kid(a.view(), Array2::zeros((5, 3)).view()).unwrap_err();
        assert_eq!(error, MetricError::UnequalDimensions { first: 20, second: 3 });
    }
}
