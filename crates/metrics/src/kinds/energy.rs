//! `energy` of an experiment's own evaluation.

use std::sync::Arc;

use ndarray::ArrayView2;

use crate::{
    MetricError, energy,
    metric::{MetricKind, MetricReference, are_points},
    pairs::PairReference,
    samples::{REAL, check, check_pair},
};

/// The energy distance, [`energy_distance`](crate::energy_distance).
#[derive(Debug)]
pub struct Energy;

impl MetricKind for Energy {
    fn name(&self) -> &'static str {
        "energy"
    }

    fn about(&self) -> &'static str {
        "energy distance of points"
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        are_points(shape)
    }

    fn reference(
        &self,
        real: ArrayView2<'_, f32>,
        _seed: u64,
    ) -> Result<Arc<dyn MetricReference>, MetricError> {
        check(real, REAL, 1)?;
        Ok(Arc::new(Real(energy::reference(real.to_owned().into()))))
    }
}

#[derive(Debug)]
struct Real(PairReference<'static, f32>);

impl MetricReference for Real {
    fn score(&self, samples: ArrayView2<'_, f32>) -> Result<(f64, usize), MetricError> {
        check_pair(samples, self.0.real(), 1)?;
        let sums = self.0.sums(samples, &[]);
        Ok((energy::of(&sums[0]), self.0.real().nrows()))
    }
}
