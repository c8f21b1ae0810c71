//! `kid`.

use std::sync::Arc;

use ndarray::ArcArray2;

use crate::{
    MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value, kid,
    metric::{Taken, Unasked},
};

/// The kernel inception distance, the mean over subsets, [`kid_subsets`](crate::kid_subsets).
#[derive(Debug)]
pub struct Kid;

impl MetricKind for Kid {
    fn name(&self) -> &'static str {
        "kid"
    }

    fn about(&self) -> &'static str {
        "kernel inception distance, the mean over subsets"
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

    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Subsets { real: real.rows(2)?, settings: *settings }))
    }
}

#[derive(Debug)]
struct Subsets {
    real: ArcArray2<f32>,
    settings: Settings,
}

impl Subsets {
    fn value(&self, samples: &Samples<'_>, repeats: usize) -> Result<Value, MetricError> {
        let Settings { seed, kid_subsets, kid_size, .. } = self.settings;
        if kid_size < 2 {
            return Err(MetricError::TooFewSamples { what: "a subset of KID", needed: 2, got: kid_size });
        }
        let (rows, real) = (samples.rows, self.real.view());
        let size = kid_size.min(rows.nrows().min(real.nrows()) / 2).max(2);
        let (found, error) = kid::with_error(rows, real, kid_subsets, size, seed, repeats)?;
        let with = vec![
            ("subsets", kid_subsets as f64),
            ("size", size as f64),
            ("std", found.std),
            ("seed", seed as f64),
        ];
        let interval = error.map(|error| [found.mean - 2.0 * error, found.mean + 2.0 * error]);
        Ok(Value { interval, ..Value::alone(found.mean).with(with) })
    }
}

impl MetricReference for Subsets {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        Ok(vec![self.value(samples, 0)?])
    }

    /// It has halves inside its subsets, as many as are asked for.
    fn with_halves(
        &self,
        samples: &Samples<'_>,
        _halves: &[Vec<usize>],
    ) -> Result<(Vec<Value>, Vec<Vec<f64>>), MetricError> {
        Ok((vec![self.value(samples, self.settings.repeats)?], Vec::new()))
    }
}
