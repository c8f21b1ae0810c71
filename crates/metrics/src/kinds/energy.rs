//! `energy`.

use std::sync::Arc;

use super::pairs::Pairs;
use crate::{
    MetricError, MetricKind, MetricReference, Real, Settings, energy,
    metric::{Taken, are_points},
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

    fn explained(&self) -> &'static str {
        "Energy distance, 2·E|X−Y| − E|X−X′| − E|Y−Y′| over all pairs of samples X and data Y (a V-statistic, no square \
             root)."
    }

    fn taken(&self) -> Taken {
        Taken::Rows
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        are_points(shape)
    }

    fn reference(&self, real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        let reference = energy::reference(real.rows(1)?.into());
        Ok(Arc::new(Pairs { reference, of: energy::of, least: 1, with: Vec::new() }))
    }
}
