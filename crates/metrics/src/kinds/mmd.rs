//! `mmd`.

use std::sync::Arc;

use super::pairs::Pairs;
use crate::{
    MetricError, MetricKind, MetricReference, Real, Settings, median_distance,
    metric::{Taken, Unasked},
    mmd,
    pairs::PairSums,
};

/// The squared maximum mean discrepancy, [`mmd_gaussian`](crate::mmd_gaussian), with the real data's [`median_distance`].
#[derive(Debug)]
pub struct Mmd;

impl MetricKind for Mmd {
    fn name(&self) -> &'static str {
        "mmd"
    }

    fn about(&self) -> &'static str {
        "squared maximum mean discrepancy, Gaussian kernel as wide as the real data's median distance"
    }

    fn taken(&self) -> Taken {
        Taken::Rows
    }

    fn unasked(&self) -> Unasked {
        Unasked::Nowhere
    }

    /// An unbiased estimate of what is not negative can be.
    fn range(&self, _part: &str) -> [f64; 2] {
        [f64::NEG_INFINITY, f64::INFINITY]
    }

    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        let rows = real.rows(2)?;
        let bandwidth = median_distance(rows.view(), settings.seed)?;
        let reference = mmd::reference(rows.into(), bandwidth)?;
        let with = vec![("bandwidth", bandwidth)];
        Ok(Arc::new(Pairs { reference, of: PairSums::unbiased, least: 2, with }))
    }
}
