//! The Fréchet distance on principal components of the real data.

use faer::Mat;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::{
    Frechet, MetricError, Moments, frechet,
    linalg::{Eigen, add_product, eigen, leading},
    samples::{REAL, SAMPLES, checked},
};

/// Samples that one task projects. Fixed, though rows do not meet: the blocking inside a product may depend on it.
pub(crate) const ROWS: usize = 256;

/// With fewer than one component in so many dimensions, the leading eigenvectors alone are computed.
const PARTIAL: usize = 16;

/// The Fréchet distance between samples and real data on the first principal components of the real data.
///
/// `fd_pca64` is this with 64 components. It is **not** the FID of the literature: there is no feature network. Pixels
/// are projected on the leading eigenvectors of the real data's covariance, and the Gaussians of both sides are compared
/// there. It sees mean, contrast and pairwise structure of pixels, and nothing of higher order; it is comparable only for
/// the same real data, the same number of components and the same n (it falls with n, like every Fréchet distance).
#[derive(Clone, Debug)]
pub struct FdPca {
    mean: Vec<f64>,
    /// `[dimension, components]`, orthonormal columns, variance falling.
    basis: Mat<f64>,
    variances: Vec<f64>,
    explained: f64,
    reference: usize,
}

/// The result of [`FdPca::distance`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FdPcaScore {
    /// The distance and its parts.
    pub frechet: Frechet,
    /// Samples scored.
    pub n: usize,
    /// Real samples that the reference was fitted to.
    pub reference: usize,
    /// Principal components compared.
    pub components: usize,
}

impl FdPca {
    /// Largest dimension of the data: a covariance of half a gigabyte.
    pub const LARGEST: usize = 8192;

    /// Fits mean and principal components to real data.
    ///
    /// # Shapes
    /// `real`: `[n, dimension]`.
    ///
    /// # Errors
    /// [`MetricError::TooFewDimensions`] when the data has fewer dimensions than `components` (the number is part of the
    /// metric's name, so it is never reduced silently), [`MetricError::TooFewSamples`] when n ≤ components (the components
    /// would not be determined), [`MetricError::TooManyDimensions`] above [`FdPca::LARGEST`], values that are not finite.
    pub fn fit<T: Copy + Into<f64>>(real: ArrayView2<'_, T>, components: usize) -> Result<Self, MetricError> {
        let (n, dimension) = real.dim();
        if components == 0 {
            return Err(MetricError::Zero("components"));
        }
        if dimension > Self::LARGEST {
            return Err(MetricError::TooManyDimensions { dimension, limit: Self::LARGEST });
        }
        if dimension < components {
            return Err(MetricError::TooFewDimensions { dimension, components });
        }
        if n <= components {
            return Err(MetricError::TooFewSamples { what: REAL, needed: components + 1, got: n });
        }
        let mut moments = Moments::new(dimension);
        moments.add(real).map_err(|error| error.of(REAL))?;
        let (mean, covariance) = (moments.mean()?, moments.covariance()?);
        // Of images these are large; one is enough while the next is computed.
        drop(moments);
        let matrix = Mat::from_fn(dimension, dimension, |i, j| covariance[[i, j]]);
        drop(covariance);
        let total: f64 = (0..dimension).map(|i| matrix[(i, i)]).sum();
        let few = components * PARTIAL < dimension;
        let found = if few { leading(matrix.as_ref(), components) } else { None };
        let Eigen { values: variances, vectors: basis } = match found {
            Some(found) => found,
            None => {
                // These rise; the leading ones are the last columns.
                let all = eigen(matrix.as_ref())?;
                let last = dimension - 1;
                Eigen {
                    values: (0..components).map(|k| all.values[last - k]).collect(),
                    vectors: Mat::from_fn(dimension, components, |i, k| all.vectors[(i, last - k)]),
                }
            }
        };
        Ok(Self {
            mean,
            basis,
            explained: if total > 0.0 { variances.iter().sum::<f64>() / total } else { 1.0 },
            variances,
            reference: n,
        })
    }

    /// Principal components compared.
    pub fn components(&self) -> usize {
        self.variances.len()
    }

    /// Real samples that the reference was fitted to.
    pub fn reference(&self) -> usize {
        self.reference
    }

    /// Share of the real data's variance that lies on the components, in [0, 1].
    pub fn explained(&self) -> f64 {
        self.explained
    }

    /// Coordinates of samples on the components, the real mean being the origin: `(x − m)·basis`, `[n, components]`.
    ///
    /// # Errors
    /// Another dimension than the real data's, values that are not finite.
    pub fn project<T: Copy + Into<f64>>(
        &self,
        samples: ArrayView2<'_, T>,
    ) -> Result<Array2<f64>, MetricError> {
        let dimension = self.mean.len();
        if samples.ncols() != dimension {
            return Err(MetricError::UnequalDimensions { first: dimension, second: samples.ncols() });
        }
        let mut rows = checked(samples, SAMPLES, 0)?;
        for mut row in rows.rows_mut() {
            for (value, mean) in row.iter_mut().zip(&self.mean) {
                *value -= mean;
            }
        }
        let components = self.components();
        let mut out = Array2::zeros((rows.nrows(), components));
        let (from, to) =
            (rows.as_slice().expect("standard layout"), out.as_slice_mut().expect("standard layout"));
        from.par_chunks(ROWS * dimension).zip(to.par_chunks_mut(ROWS * components)).for_each(|(from, to)| {
            let n = from.len() / dimension;
            let from = faer::MatRef::from_row_major_slice(from, n, dimension);
            add_product(faer::MatMut::from_row_major_slice_mut(to, n, components), from, self.basis.as_ref());
        });
        Ok(out)
    }

    /// The Fréchet distance of samples to the real data on the components.
    ///
    /// # Shapes
    /// `samples`: `[n, dimension]`, n ≥ 2; with n ≤ components the samples' covariance is singular, which is allowed.
    ///
    /// # Errors
    /// Fewer than two samples, another dimension, values that are not finite.
    pub fn distance<T: Copy + Into<f64>>(
        &self,
        samples: ArrayView2<'_, T>,
    ) -> Result<FdPcaScore, MetricError> {
        self.distance_of_projected(self.project(samples)?.view())
    }

    /// [`distance`](Self::distance) of samples whose coordinates [`project`](Self::project) gave.
    ///
    /// # Errors
    /// Fewer than two samples.
    pub(crate) fn distance_of_projected(
        &self,
        projected: ArrayView2<'_, f64>,
    ) -> Result<FdPcaScore, MetricError> {
        let components = self.components();
        let mut moments = Moments::new(components);
        moments.add(projected)?;
        let real = Array2::from_diag(&ndarray::ArrayView1::from(&self.variances));
        let covariance = moments.covariance().map_err(|error| error.of(SAMPLES))?;
        let found = frechet(&vec![0.0; components], real.view(), &moments.mean()?, covariance.view())?;
        Ok(FdPcaScore { frechet: found, n: moments.count(), reference: self.reference, components })
    }
}

#[cfg(test)]
mod tests {
    use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
    use ndarray::s;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    /// Gaussian rows with standard deviation `1/(1 + j)` along axis j, moved by `shift` along axis 0.
    fn gaussian(n: usize, dimension: usize, shift: f64, seed: u64) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_fn((n, dimension), |(_, j)| {
            let draw: f64 = StandardNormal.sample(&mut rng);
            (draw / (1 + j) as f64 + if j == 0 { shift } else { 0.0 }) as f32
        })
    }

    #[test]
    fn the_reference_is_at_zero_from_itself() {
        let real = gaussian(500, 20, 0.0, 0);
        let pca = FdPca::fit(real.view(), 8).unwrap();
        let score = pca.distance(real.view()).unwrap();
        assert!(score.frechet.distance.abs() < 1e-10, "{score:?}");
        assert_eq!((score.n, score.reference, score.components), (500, 500, 8));
        assert!(pca.explained() > 0.9 && pca.explained() < 1.0);
    }

    #[test]
    fn with_all_components_it_is_the_frechet_distance() {
        // A rotation of the space changes nothing.
        let (real, fake) = (gaussian(400, 10, 0.0, 1), gaussian(300, 10, 0.7, 2));
        let score = FdPca::fit(real.view(), 10).unwrap().distance(fake.view()).unwrap();
        let moments = |samples: &Array2<f32>| {
            let mut moments = Moments::new(10);
            moments.add(samples.view()).unwrap();
            (moments.mean().unwrap(), moments.covariance().unwrap())
        };
        let (m1, s1) = moments(&real);
        let (m2, s2) = moments(&fake);
        let expected = frechet(&m1, s1.view(), &m2, s2.view()).unwrap().distance;
        assert!((score.frechet.distance - expected).abs() < 1e-9, "{} {expected}", score.frechet.distance);
        assert!((score.frechet.distance - 0.49).abs() < 0.2);
    }

    /// The same components from the leading eigenvectors alone as from all of them.
    #[test]
    fn many_dimensions_give_the_same_components() {
        let real = gaussian(900, 40 * PARTIAL, 0.0, 7);
        let dimension = real.ncols();
        let pca = FdPca::fit(real.view(), 30).unwrap();
        let mut moments = Moments::new(dimension);
        moments.add(real.view()).unwrap();
        let covariance = moments.covariance().unwrap();
        let matrix = Mat::from_fn(dimension, dimension, |i, j| covariance[[i, j]]);
        let all = eigen(matrix.as_ref()).unwrap();
        for k in 0..30 {
            let expected = all.values[dimension - 1 - k];
            assert!((pca.variances[k] - expected).abs() < 1e-10 * all.values[dimension - 1], "{k}");
            let cosine: f64 =
                (0..dimension).map(|i| pca.basis[(i, k)] * all.vectors[(i, dimension - 1 - k)]).sum();
            assert!((cosine.abs() - 1.0).abs() < 1e-6, "{k}: {cosine}");
        }
        let total: f64 = all.values.iter().sum();
        let share = pca.variances.iter().sum::<f64>() / total;
        assert!((pca.explained() - share).abs() < 1e-12);
    }

    /// Fewer directions with any variance than components.
    #[test]
    fn data_of_low_rank_is_compared() {
        let mut real = gaussian(300, 40 * PARTIAL, 0.0, 8);
        real.slice_mut(s![.., 5..]).fill(0.25);
        let score = FdPca::fit(real.view(), 30).unwrap().distance(real.view()).unwrap();
        assert!(score.frechet.distance.abs() < 1e-9, "{score:?}");
        let mut fake = gaussian(300, 40 * PARTIAL, 2.0, 9);
        fake.slice_mut(s![.., 5..]).fill(0.25);
        assert!(FdPca::fit(real.view(), 30).unwrap().distance(fake.view()).unwrap().frechet.distance > 1.0);
    }

    #[test]
    fn constant_data_is_at_zero_from_itself() {
        let constant = Array2::from_elem((10, 768), 0.5f32);
        let fitted = FdPca::fit(constant.view(), 9).unwrap();
        assert_eq!(fitted.distance(constant.view()).unwrap().frechet.distance, 0.0);
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let (real, fake) = (gaussian(2000, 150, 0.0, 3), gaussian(700, 150, 0.1, 4));
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                FdPca::fit(real.view(), 64).unwrap().distance(fake.view()).unwrap().frechet.distance.to_bits()
            })
        };
        assert_eq!(bits(1), bits(3));
    }

    #[test]
    fn refuses() {
        let real = gaussian(100, 20, 0.0, 5);
        let error = FdPca::fit(real.view(), 64).unwrap_err();
        assert_eq!(error, MetricError::TooFewDimensions { dimension: 20, components: 64 });
        let error = FdPca::fit(real.slice(s![..8, ..]), 8).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: REAL, needed: 9, got: 8 });
        assert_eq!(FdPca::fit(real.view(), 0).unwrap_err(), MetricError::Zero("components"));
        let pca = FdPca::fit(real.view(), 8).unwrap();
        let error = pca.distance(real.slice(s![..1, ..])).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: SAMPLES, needed: 2, got: 1 });
        let error = pca.distance(gaussian(9, 19, 0.0, 6).view()).unwrap_err();
        assert_eq!(error, MetricError::UnequalDimensions { first: 20, second: 19 });
    }
}
