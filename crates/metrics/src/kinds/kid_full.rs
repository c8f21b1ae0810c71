//! `kid_full`.

use std::sync::Arc;

use super::pairs::Pairs;
use crate::{
    MetricError, MetricKind, MetricReference, Real, Settings, kid,
    metric::{Taken, Unasked},
    pairs::PairSums,
};

/// The kernel inception distance of all samples at once, [`kid`](crate::kid()).
#[derive(Debug)]
pub struct KidFull;

impl MetricKind for KidFull {
    fn name(&self) -> &'static str {
        "kid_full"
    }

    fn about(&self) -> &'static str {
        "kernel inception distance of all samples at once"
    }

    fn taken(&self) -> Taken {
        Taken::Features
    }

    fn unasked(&self) -> Unasked {
        Unasked::Nowhere
    }

    /// An unbiased estimate of what is not negative can be.
    fn range(&self, _part: &str) -> [f64; 2] {
        [f64::NEG_INFINITY, f64::INFINITY]
    }

    fn reference(&self, real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        let reference = kid::reference(real.rows(2)?.into());
        Ok(Arc::new(Pairs { reference, of: PairSums::unbiased, least: 2, with: Vec::new() }))
    }
}
