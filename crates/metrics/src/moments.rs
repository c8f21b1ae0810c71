//! Mean and covariance, accumulated without keeping the samples.

use faer::Mat;
use ndarray::{ArrayView2, s};
use rayon::prelude::*;

use crate::{MetricError, Statistics, linalg::add_product, samples::checked};

/// Samples that are converted to f64 at a time, and columns of the outer product that one task adds to. Both fixed, so
/// that the order of additions does not depend on the number of threads.
const ROWS: usize = 1024;
const COLUMNS: usize = 64;

/// Number, sum and sum of outer products of the samples seen, in f64, each sample less the first one.
///
/// From these come the mean and the unbiased covariance; the samples need not be kept, and shards combine by
/// [`Moments::merge`]. Without the subtraction a mean that is large beside the spread would cost the covariance its
/// digits; with it, constant features have a variance of exactly zero.
#[derive(Clone, Debug)]
pub struct Moments {
    n: usize,
    /// The first sample; zeros before it.
    origin: Vec<f64>,
    sum: Vec<f64>,
    /// Lower half, by panels of columns, and the parts of the upper half that share a panel's diagonal block.
    outer: Mat<f64>,
}

impl Moments {
    /// No samples of this dimension yet.
    pub fn new(dimension: usize) -> Self {
        let zeros = vec![0.0; dimension];
        Self { n: 0, origin: zeros.clone(), sum: zeros, outer: Mat::zeros(dimension, dimension) }
    }

    /// Adds samples.
    ///
    /// # Shapes
    /// `samples`: `[n, dimension]`.
    ///
    /// # Errors
    /// Another dimension, or values that are not finite; then nothing of the failing block of 1,024 rows was added.
    pub fn add<T: Copy + Into<f64>>(&mut self, samples: ArrayView2<'_, T>) -> Result<(), MetricError> {
        let dimension = self.dimension();
        if samples.ncols() != dimension {
            return Err(MetricError::UnequalDimensions { first: dimension, second: samples.ncols() });
        }
        for from in (0..samples.nrows()).step_by(ROWS) {
            let to = (from + ROWS).min(samples.nrows());
            let mut block = checked(samples.slice(s![from..to, ..]), "the samples", 0)
                .map_err(|error| at(error, from))?;
            if self.n == 0 {
                self.origin = block.row(0).to_vec();
            }
            for mut row in block.rows_mut() {
                for ((sum, value), origin) in self.sum.iter_mut().zip(&mut row).zip(&self.origin) {
                    *value -= origin;
                    *sum += *value;
                }
            }
            let block = faer::MatRef::from_row_major_slice(
                block.as_slice().expect("standard layout"),
                block.nrows(),
                dimension,
            );
            self.outer.as_mut().par_col_chunks_mut(COLUMNS).enumerate().for_each(|(panel, out)| {
                let (first, width) = (panel * COLUMNS, out.ncols());
                let below = out.subrows_mut(first, dimension - first);
                add_product(
                    below,
                    block.subcols(first, dimension - first).transpose(),
                    block.subcols(first, width),
                );
            });
            self.n += to - from;
        }
        Ok(())
    }

    /// Adds what another accumulator has seen.
    ///
    /// # Errors
    /// Another dimension.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        if other.dimension() != self.dimension() {
            return Err(MetricError::UnequalDimensions {
                first: self.dimension(),
                second: other.dimension(),
            });
        }
        if self.n == 0 {
            self.origin.clone_from(&other.origin);
        }
        // Σ (x + d)(x + d)ᵀ = Σ x xᵀ + d (Σ x)ᵀ + (Σ x) dᵀ + n d dᵀ, with d from our origin to the other's.
        let n = other.n as f64;
        let shift: Vec<f64> = other.origin.iter().zip(&self.origin).map(|(other, own)| other - own).collect();
        let dimension = self.dimension();
        for j in 0..dimension {
            for i in j..dimension {
                self.outer[(i, j)] += other.outer[(i, j)]
                    + shift[i] * other.sum[j]
                    + other.sum[i] * shift[j]
                    + n * shift[i] * shift[j];
            }
        }
        for ((sum, other), shift) in self.sum.iter_mut().zip(&other.sum).zip(&shift) {
            *sum += other + n * shift;
        }
        self.n += other.n;
        Ok(())
    }

    /// Mean and covariance of these samples.
    ///
    /// # Errors
    /// Fewer than two, values that are not finite.
    pub fn statistics<T: Copy + Into<f64>>(samples: ArrayView2<'_, T>) -> Result<Statistics, MetricError> {
        let mut moments = Self::new(samples.ncols());
        moments.add(samples)?;
        Statistics::of(&moments)
    }

    /// Columns of the samples.
    pub fn dimension(&self) -> usize {
        self.sum.len()
    }

    /// Samples seen.
    pub fn count(&self) -> usize {
        self.n
    }

    /// The mean.
    ///
    /// # Errors
    /// No samples yet.
    pub fn mean(&self) -> Result<Vec<f64>, MetricError> {
        if self.n == 0 {
            return Err(MetricError::TooFewSamples { what: "a mean", needed: 1, got: 0 });
        }
        let n = self.n as f64;
        Ok(self.origin.iter().zip(&self.sum).map(|(origin, sum)| origin + sum / n).collect())
    }

    /// The unbiased covariance `Σ (x − m)(x − m)ᵀ / (n − 1)`, `[dimension, dimension]`, row-major and symmetric.
    ///
    /// # Errors
    /// Fewer than two samples.
    pub fn covariance(&self) -> Result<ndarray::Array2<f64>, MetricError> {
        if self.n < 2 {
            return Err(MetricError::TooFewSamples { what: "a covariance", needed: 2, got: self.n });
        }
        let (n, sum) = (self.n as f64, &self.sum);
        Ok(ndarray::Array2::from_shape_fn((sum.len(), sum.len()), |(i, j)| {
            let (i, j) = (i.max(j), i.min(j));
            (self.outer[(i, j)] - sum[i] * (sum[j] / n)) / (n - 1.0)
        }))
    }
}

/// The error with its row counted from the first row of all.
pub(crate) fn at(error: MetricError, from: usize) -> MetricError {
    match error {
        MetricError::NotFinite { set, row, column, value } => {
            MetricError::NotFinite { set, row: row + from, column, value }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;

    fn samples(n: usize, dimension: usize) -> Array2<f32> {
        Array2::from_shape_fn((n, dimension), |(i, j)| {
            ((i * 37 + j * j * 11 + i * j) % 97) as f32 / 50.0 - 1.0
        })
    }

    #[test]
    fn equals_the_two_pass_formula() {
        let samples = samples(1500, 130);
        let mut moments = Moments::new(130);
        moments.add(samples.view()).unwrap();
        let wide = samples.mapv(f64::from);
        let mean = wide.mean_axis(Axis(0)).unwrap();
        let centred = &wide - &mean;
        let covariance = centred.t().dot(&centred) / 1499.0;
        let worst =
            (&moments.covariance().unwrap() - &covariance).iter().fold(0f64, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-12, "{worst}");
        assert!(moments.mean().unwrap().iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-13));
        assert_eq!(moments.count(), 1500);
    }

    #[test]
    fn shards_merge() {
        let samples = samples(900, 5);
        let (mut whole, mut first, mut second) = (Moments::new(5), Moments::new(5), Moments::new(5));
        whole.add(samples.view()).unwrap();
        first.add(samples.slice(s![..400, ..])).unwrap();
        second.add(samples.slice(s![400.., ..])).unwrap();
        first.merge(&second).unwrap();
        assert_eq!(first.count(), 900);
        let worst = (&first.covariance().unwrap() - &whole.covariance().unwrap())
            .iter()
            .fold(0f64, |w, d| w.max(d.abs()));
        assert!(worst < 1e-13, "{worst}");
    }

    #[test]
    fn a_large_mean_costs_no_digits_and_constant_features_have_no_variance() {
        let near = samples(700, 6).mapv(f64::from);
        let mut far = &near + 1e9;
        far.column_mut(3).fill(0.1);
        let (mut first, mut second) = (Moments::new(6), Moments::new(6));
        first.add(near.view()).unwrap();
        second.add(far.slice(s![..300, ..])).unwrap();
        let mut rest = Moments::new(6);
        rest.add(far.slice(s![300.., ..])).unwrap();
        second.merge(&rest).unwrap();
        let (near, far) = (first.covariance().unwrap(), second.covariance().unwrap());
        for ((i, j), value) in far.indexed_iter() {
            let expected = if i == 3 || j == 3 { 0.0 } else { near[[i, j]] };
            assert!((value - expected).abs() < 1e-6, "{i} {j}: {value} {expected}");
        }
        assert_eq!((far[[3, 3]], second.mean().unwrap()[3]), (0.0, 0.1));
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let samples = samples(3000, 200);
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut moments = Moments::new(200);
                moments.add(samples.view()).unwrap();
                moments.covariance().unwrap().mapv(f64::to_bits)
            })
        };
        assert_eq!(bits(1), bits(3));
    }

    #[test]
    fn refuses() {
        let mut moments = Moments::new(2);
        assert_eq!(
            moments.mean().unwrap_err(),
            MetricError::TooFewSamples { what: "a mean", needed: 1, got: 0 }
        );
        let mut bad = samples(2000, 2);
        bad[[1500, 1]] = f32::NAN;
        let error = moments.add(bad.view()).unwrap_err();
        let expected =
            MetricError::NotFinite { set: "the samples", row: 1500, column: 1, value: "NaN".into() };
        assert_eq!(error, expected);
        let error = moments.add(samples(3, 4).view()).unwrap_err();
        assert_eq!(error, MetricError::UnequalDimensions { first: 2, second: 4 });
    }
}
