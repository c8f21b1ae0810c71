//! `prdc`: `precision`, `recall`, `density` and `coverage`.

use std::sync::Arc;

use crate::{
    MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value,
    metric::{Better, Taken, Unasked},
    prdc::PrdcReference,
};

/// Precision, recall, density and coverage, [`prdc`](crate::prdc()).
#[derive(Debug)]
pub struct PrdcKind;

impl MetricKind for PrdcKind {
    fn name(&self) -> &'static str {
        "prdc"
    }

    fn about(&self) -> &'static str {
        "precision, recall, density and coverage, balls to the 5th neighbour"
    }

    fn taken(&self) -> Taken {
        Taken::Features
    }

    fn unasked(&self) -> Unasked {
        Unasked::Nowhere
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn least(&self) -> usize {
        6
    }

    fn range(&self, part: &str) -> [f64; 2] {
        [0.0, if part == "density" { f64::INFINITY } else { 1.0 }]
    }

    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        let neighbours = settings.neighbours;
        let balls = PrdcReference::new(real.rows(1)?.into(), neighbours)?;
        Ok(Arc::new(Balls { balls, neighbours }))
    }
}

#[derive(Debug)]
struct Balls {
    balls: PrdcReference<'static, f32>,
    neighbours: usize,
}

impl MetricReference for Balls {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let found = self.balls.score(samples.rows)?;
        let value =
            |part, value| Value::alone(value).part(part).with(vec![("neighbours", self.neighbours as f64)]);
        Ok(vec![
            value("precision", found.precision),
            value("recall", found.recall),
            value("density", found.density),
            value("coverage", found.coverage),
        ])
    }
}
