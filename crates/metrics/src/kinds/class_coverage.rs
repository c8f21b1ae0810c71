//! `class_coverage`.

use std::sync::Arc;

use ndarray::{ArcArray2, Array2, ArrayView2, Axis};

use crate::{
    Classes, MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value,
    metric::{Better, Taken, Unasked},
    prdc,
};

/// Coverage class by class in the features of a classifier, the mean over classes.
#[derive(Debug)]
pub struct ClassCoverage;

impl MetricKind for ClassCoverage {
    fn name(&self) -> &'static str {
        "class_coverage"
    }

    fn about(&self) -> &'static str {
        "coverage class by class in a classifier's features, the mean over classes"
    }

    fn taken(&self) -> Taken {
        Taken::Classes
    }

    fn unasked(&self) -> Unasked {
        Unasked::Nowhere
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        match real {
            Real::Labelled(rows, labels) => Ok(Arc::new(Labelled {
                rows: rows.clone(),
                labels: labels.clone(),
                neighbours: settings.neighbours,
            })),
            _ => Err(MetricError::NeedsClasses),
        }
    }
}

#[derive(Debug)]
struct Labelled {
    rows: ArcArray2<f32>,
    labels: Vec<usize>,
    neighbours: usize,
}

impl MetricReference for Labelled {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let Classes { asked, count, .. } = samples.classes.ok_or(MetricError::NeedsClasses)?;
        let of_class = |rows: ArrayView2<'_, f32>, labels: &[usize], class: usize| -> Array2<f32> {
            let chosen: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
            rows.select(Axis(0), &chosen)
        };
        let coverage = |class: usize| {
            let real = of_class(self.rows.view(), &self.labels, class);
            let own = of_class(samples.rows, asked, class);
            let found = prdc(real.view(), own.view(), self.neighbours)
                .map_err(|error| MetricError::OfClass { class, error: Box::new(error) })?;
            Ok(found.coverage)
        };
        let found = (0..count).map(coverage).collect::<Result<Vec<f64>, MetricError>>()?;
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        let by_class = found.into_iter().map(Some).collect();
        let value = Value::alone(mean).with(vec![("neighbours", self.neighbours as f64)]);
        Ok(vec![Value { by_class, ..value }])
    }

    /// It has no interval.
    fn has_halves(&self) -> bool {
        false
    }
}
