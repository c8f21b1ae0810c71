//! `modes`: `modes_covered`, `modes_near` and `modes_imbalance`.

use std::sync::Arc;

use crate::{
    MetricError, MetricKind, MetricReference, Mixture, Real, Samples, Settings, Value,
    metric::{Better, Taken, Unasked},
};

/// Which modes of the density the samples reach, [`Mixture::modes`].
#[derive(Debug)]
pub struct Modes;

impl MetricKind for Modes {
    fn name(&self) -> &'static str {
        "modes"
    }

    fn about(&self) -> &'static str {
        "share of the density's modes that samples reach, share of samples near one, imbalance"
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

    fn reference(&self, real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        match real {
            Real::Density(mixture) => Ok(Arc::new(Near(mixture.clone()))),
            _ => Err(MetricError::NeedsDensity),
        }
    }
}

#[derive(Debug)]
struct Near(Arc<Mixture>);

impl MetricReference for Near {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let found = self.0.modes(samples.rows)?;
        Ok(vec![
            Value::alone(found.covered).part("modes_covered"),
            Value::share(found.near, samples.rows.nrows()).part("modes_near"),
            Value::alone(found.imbalance).part("modes_imbalance"),
        ])
    }

    /// A share has its own interval, the others have none.
    fn has_halves(&self) -> bool {
        false
    }
}
