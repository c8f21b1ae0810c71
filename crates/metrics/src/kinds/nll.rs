//! `nll`.

use std::sync::Arc;

use crate::{
    MetricError, MetricKind, MetricReference, Mixture, Real, Samples, Settings, Value,
    metric::{Better, Taken, Unasked},
};

/// The mean negative log-likelihood in nats under the density that the real points are drawn from,
/// [`Mixture::negative_log_likelihoods`].
#[derive(Debug)]
pub struct Nll;

impl MetricKind for Nll {
    fn name(&self) -> &'static str {
        "nll"
    }

    fn about(&self) -> &'static str {
        "mean negative log-likelihood under the density of the data, in nats"
    }

    fn taken(&self) -> Taken {
        Taken::Density
    }

    fn unasked(&self) -> Unasked {
        Unasked::Nowhere
    }

    fn better(&self) -> Better {
        Better::Neither
    }

    fn needs_real(&self) -> bool {
        false
    }

    fn range(&self, _part: &str) -> [f64; 2] {
        [f64::NEG_INFINITY, f64::INFINITY]
    }

    fn reference(&self, real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        match real {
            Real::Density(mixture) => Ok(Arc::new(Likelihood(mixture.clone()))),
            _ => Err(MetricError::NeedsDensity),
        }
    }
}

#[derive(Debug)]
struct Likelihood(Arc<Mixture>);

impl MetricReference for Likelihood {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        Ok(vec![Value::mean(&self.0.negative_log_likelihoods(samples.rows)?)])
    }

    /// A mean has its standard error.
    fn has_halves(&self) -> bool {
        false
    }
}
