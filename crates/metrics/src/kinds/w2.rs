//! `w2` of an experiment's own evaluation.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use crate::{
    MetricError,
    metric::{MetricKind, MetricReference, are_points},
    wasserstein::{W2_MOST, wasserstein2},
};

/// The exact 2-Wasserstein distance, [`wasserstein2`].
#[derive(Debug)]
pub struct W2;

impl MetricKind for W2 {
    fn name(&self) -> &'static str {
        "w2"
    }

    fn about(&self) -> &'static str {
        "exact 2-Wasserstein distance of points"
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        are_points(shape)
    }

    fn needs_equal_sizes(&self) -> bool {
        true
    }

    fn most(&self) -> Option<usize> {
        Some(W2_MOST)
    }

    /// The distances of all pairs.
    fn doubles(&self, samples: usize, _dimension: usize) -> usize {
        samples * samples
    }

    fn reference(
        &self,
        real: ArrayView2<'_, f32>,
        _seed: u64,
    ) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Real(real.to_owned())))
    }
}

#[derive(Debug)]
struct Real(Array2<f32>);

impl MetricReference for Real {
    fn score(&self, samples: ArrayView2<'_, f32>) -> Result<(f64, usize), MetricError> {
        Ok((wasserstein2(samples, self.0.view())?, self.0.nrows()))
    }
}
