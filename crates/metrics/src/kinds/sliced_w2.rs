//! `sliced_w2` of an experiment's own evaluation.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use crate::{
    MetricError,
    metric::{MetricKind, MetricReference, are_points},
    sliced::{PROJECTIONS, sliced_wasserstein2},
};

/// The sliced 2-Wasserstein distance over [`PROJECTIONS`] directions, [`sliced_wasserstein2`].
#[derive(Debug)]
pub struct SlicedW2;

impl MetricKind for SlicedW2 {
    fn name(&self) -> &'static str {
        "sliced_w2"
    }

    fn about(&self) -> &'static str {
        "sliced 2-Wasserstein distance of points, 256 directions"
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        are_points(shape)
    }

    fn needs_equal_sizes(&self) -> bool {
        true
    }

    fn reference(
        &self,
        real: ArrayView2<'_, f32>,
        seed: u64,
    ) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Real { real: real.to_owned(), seed }))
    }
}

#[derive(Debug)]
struct Real {
    real: Array2<f32>,
    seed: u64,
}

impl MetricReference for Real {
    fn score(&self, samples: ArrayView2<'_, f32>) -> Result<(f64, usize), MetricError> {
        let value = sliced_wasserstein2(samples, self.real.view(), PROJECTIONS, self.seed)?;
        Ok((value, self.real.nrows()))
    }
}
