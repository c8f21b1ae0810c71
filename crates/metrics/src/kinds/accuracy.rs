//! `accuracy`.

use std::sync::Arc;

use crate::{
    Classes, MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value,
    metric::{Better, Taken, Unasked},
};

/// The share of the samples that a classifier takes for the class they were asked for.
#[derive(Debug)]
pub struct Accuracy;

impl MetricKind for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn about(&self) -> &'static str {
        "share of pictures that a classifier takes for the class they were asked for"
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

    fn needs_real(&self) -> bool {
        false
    }

    fn reference(&self, _real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Nothing))
    }
}

#[derive(Debug)]
struct Nothing;

impl MetricReference for Nothing {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let Classes { asked, seen, count } = samples.classes.ok_or(MetricError::NeedsClasses)?;
        if asked.is_empty() {
            return Err(MetricError::Zero("samples"));
        }
        let share = |class: Option<usize>| {
            let of = asked.iter().zip(seen).filter(|(asked, _)| class.is_none_or(|class| **asked == class));
            let (all, right) =
                of.fold((0, 0), |(all, right), (asked, seen)| (all + 1, right + usize::from(asked == seen)));
            (all > 0).then(|| f64::from(right as u32) / f64::from(all as u32))
        };
        let by_class = (0..count).map(|class| share(Some(class))).collect();
        Ok(vec![Value { by_class, ..Value::share(share(None).unwrap_or_default(), asked.len()) }])
    }

    /// A share has its own interval.
    fn has_halves(&self) -> bool {
        false
    }
}
