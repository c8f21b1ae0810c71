//! `fd_pca64` of an experiment's own evaluation.

use std::sync::Arc;

use ndarray::ArrayView2;

use crate::{
    FdPca, MetricError,
    metric::{MetricKind, MetricReference, are_points},
};

/// Components that samples are projected on.
const COMPONENTS: usize = 64;

/// The Fréchet distance on 64 principal components of the real data, [`FdPca`].
#[derive(Debug)]
pub struct FdPca64;

impl MetricKind for FdPca64 {
    fn name(&self) -> &'static str {
        "fd_pca64"
    }

    fn about(&self) -> &'static str {
        "Fréchet distance of pictures on 64 principal components of the real data"
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        !are_points(shape) && shape.iter().product::<usize>() >= COMPONENTS
    }

    fn least(&self) -> usize {
        COMPONENTS + 1
    }

    /// A covariance and what its decomposition needs; the coordinates of all samples.
    fn doubles(&self, samples: usize, dimension: usize) -> usize {
        3 * dimension * dimension + COMPONENTS * samples
    }

    fn reference(
        &self,
        real: ArrayView2<'_, f32>,
        _seed: u64,
    ) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Real(FdPca::fit(real, COMPONENTS)?)))
    }
}

#[derive(Debug)]
struct Real(FdPca);

impl MetricReference for Real {
    fn score(&self, samples: ArrayView2<'_, f32>) -> Result<(f64, usize), MetricError> {
        Ok((self.0.distance(samples)?.frechet.distance, self.0.reference()))
    }

    fn components(&self) -> Option<&FdPca> {
        Some(&self.0)
    }
}
