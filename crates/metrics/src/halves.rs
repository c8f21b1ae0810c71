//! Intervals from random halves of the samples.

use crate::draws::Draw;

/// Keyed random halves of the indices below `n`: `repeats` choices of `n/2` without replacement, rising.
pub(crate) fn halves(n: usize, repeats: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut rng = Draw::Halves.rng(seed);
    (0..repeats)
        .map(|_| {
            let mut rows = rand::seq::index::sample(&mut rng, n, n / 2).into_vec();
            rows.sort_unstable();
            rows
        })
        .collect()
}

/// `value ± 2·s`, with s the standard error of the value of `n` samples from the values of subsets of `size` of them, drawn
/// without replacement: the delete-d jackknife, `s² = size/(n − size) · var` (J. Shao, C. F. J. Wu, "A general theory for
/// jackknife variance estimation", Ann. Statist. 17 (1989)).
///
/// The spread is taken around the subsets' own mean, so that a bias which depends on the number of samples, as a Fréchet
/// distance has, does not enter; resampling with replacement would add one. `None` for fewer than two subsets.
pub(crate) fn interval(value: f64, subsets: &[f64], size: usize, n: usize) -> Option<[f64; 2]> {
    let error = squared_error(subsets, size, n)?.sqrt();
    Some([value - 2.0 * error, value + 2.0 * error])
}

/// `s²` of [`interval`].
pub(crate) fn squared_error(subsets: &[f64], size: usize, n: usize) -> Option<f64> {
    if subsets.len() < 2 || size >= n {
        return None;
    }
    let count = subsets.len() as f64;
    let mean = subsets.iter().sum::<f64>() / count;
    let variance = subsets.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0);
    Some(variance * size as f64 / (n - size) as f64)
}

#[cfg(test)]
mod tests {
    use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    #[test]
    fn for_a_mean_it_is_the_standard_error() {
        let n = 1000;
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let values: Vec<f64> = (0..n).map(|_| StandardNormal.sample(&mut rng)).collect();
        for size in [n / 2, n / 5] {
            let subsets: Vec<f64> = (0..2000)
                .map(|_| {
                    let rows = rand::seq::index::sample(&mut rng, n, size);
                    rows.iter().map(|row| values[row]).sum::<f64>() / size as f64
                })
                .collect();
            let [low, high] = interval(0.0, &subsets, size, n).unwrap();
            let expected = 4.0 / (n as f64).sqrt();
            assert!(((high - low) / expected - 1.0).abs() < 0.08, "{size}: {} {expected}", high - low);
        }
    }

    #[test]
    fn halves_are_halves() {
        let halves = halves(9, 3, 4);
        assert_eq!(halves.len(), 3);
        assert!(halves.iter().all(|half| half.len() == 4 && half.windows(2).all(|pair| pair[0] < pair[1])));
        assert_ne!(halves[0], halves[1]);
        assert_eq!(interval(1.0, &[2.0], 4, 9), None);
        assert_eq!(interval(1.0, &[2.0, 3.0], 9, 9), None);
    }
}
