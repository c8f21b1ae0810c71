//! `is`.

use std::sync::Arc;

use crate::{
    MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value, inception_score,
    metric::{Better, Taken, Unasked},
};

/// The inception score of logits, [`inception_score`](crate::inception_score()).
#[derive(Debug)]
pub struct Inception;

impl MetricKind for Inception {
    fn name(&self) -> &'static str {
        "is"
    }

    fn about(&self) -> &'static str {
        "inception score of the logits of Inception-v3"
    }

    fn taken(&self) -> Taken {
        Taken::Logits
    }

    fn unasked(&self) -> Unasked {
        Unasked::Nowhere
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn needs_real(&self) -> bool {
        false
    }

    fn takes_statistics(&self) -> bool {
        true
    }

    fn reference(&self, _real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Splits(settings.splits)))
    }
}

#[derive(Debug)]
struct Splits(usize);

impl MetricReference for Splits {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let splits = self.0.min(samples.rows.nrows());
        let found = inception_score(samples.rows, splits)?;
        Ok(vec![Value::alone(found.mean).with(vec![("splits", splits as f64), ("std", found.std)])])
    }
}
