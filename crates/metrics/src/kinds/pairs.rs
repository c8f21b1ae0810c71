//! The real side of metrics that are made of sums over pairs: one pass over the pairs sees all halves.

use crate::{
    MetricError, MetricReference, Samples, Value,
    pairs::{PairReference, PairSums},
    samples::check_pair,
};

#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) reference: PairReference<'static, f32>,
    pub(crate) of: fn(&PairSums) -> f64,
    /// Samples that it takes at least.
    pub(crate) least: usize,
    pub(crate) with: Vec<(&'static str, f64)>,
}

impl MetricReference for Pairs {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        Ok(self.with_halves(samples, &[])?.0)
    }

    fn with_halves(
        &self,
        samples: &Samples<'_>,
        halves: &[Vec<usize>],
    ) -> Result<(Vec<Value>, Vec<Vec<f64>>), MetricError> {
        check_pair(samples.rows, self.reference.real(), self.least)?;
        let found: Vec<f64> = self.reference.sums(samples.rows, halves).iter().map(self.of).collect();
        let value = Value::alone(found[0]).with(self.with.clone());
        Ok((vec![value], vec![found[1..].to_vec()]))
    }
}
