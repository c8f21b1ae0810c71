//! `sw2`: the name of `sliced_w2` of pixels.

use std::sync::Arc;

use super::sliced_w2::Slices;
use crate::{
    MetricError, MetricKind, MetricReference, Real, Settings,
    metric::{Unasked, are_points},
};

/// The sliced 2-Wasserstein distance, of pixels.
#[derive(Debug)]
pub struct Sw2;

impl MetricKind for Sw2 {
    fn name(&self) -> &'static str {
        "sw2"
    }

    fn about(&self) -> &'static str {
        "sliced 2-Wasserstein distance of pixels, 256 directions"
    }

    fn unasked(&self) -> Unasked {
        Unasked::Eval
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        !are_points(shape)
    }

    fn needs_equal_sizes(&self) -> bool {
        true
    }

    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Slices { real: real.rows(1)?, seed: settings.seed }))
    }
}
