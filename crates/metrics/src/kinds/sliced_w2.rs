//! `sliced_w2`.

use std::sync::Arc;

use ndarray::ArcArray2;

use crate::{
    MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value,
    metric::{Taken, are_points, as_many},
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

    fn explained(&self) -> &'static str {
        "Sliced 2-Wasserstein distance between the samples and as many data points: the root mean square, over random \
             directions, of the one-dimensional 2-Wasserstein distances of the projections."
    }

    fn taken(&self) -> Taken {
        Taken::Rows
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        are_points(shape)
    }

    fn needs_equal_sizes(&self) -> bool {
        true
    }

    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Slices { real: real.rows(1)?, seed: settings.seed }))
    }
}

/// The real data, of which as many rows are taken as there are samples.
#[derive(Debug)]
pub(super) struct Slices {
    pub(super) real: ArcArray2<f32>,
    pub(super) seed: u64,
}

impl MetricReference for Slices {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let n = samples.rows.nrows();
        let real = as_many(self.real.view(), n, self.seed);
        let value = sliced_wasserstein2(samples.rows, real.view(), PROJECTIONS, self.seed)?;
        let with = vec![("n", n as f64), ("projections", PROJECTIONS as f64), ("seed", self.seed as f64)];
        Ok(vec![Value::alone(value).with(with)])
    }
}
