//! `w2`.

use std::sync::Arc;

use ndarray::ArcArray2;

use crate::{
    MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value,
    metric::{Taken, are_points, as_many},
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

    fn explained(&self) -> &'static str {
        "Exact 2-Wasserstein distance between the samples and as many data points: the root of the least mean squared \
             distance over all one-to-one pairings, found by solving the assignment problem in double precision."
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

    fn most(&self) -> Option<usize> {
        Some(W2_MOST)
    }

    /// The distances of all pairs.
    fn doubles(&self, samples: usize, _dimension: usize) -> usize {
        samples * samples
    }

    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Points { real: real.rows(1)?, seed: settings.seed }))
    }
}

/// The real data, of which as many rows are taken as there are samples.
#[derive(Debug)]
struct Points {
    real: ArcArray2<f32>,
    seed: u64,
}

impl MetricReference for Points {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let n = samples.rows.nrows();
        let value = wasserstein2(samples.rows, as_many(self.real.view(), n, self.seed).view())?;
        Ok(vec![Value::alone(value).with(vec![("n", n as f64), ("seed", self.seed as f64)])])
    }
}
