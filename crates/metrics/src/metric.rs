//! What a metric is: a kind, a kind by reference, and one with its real data.

use core::fmt::Debug;
use std::{ops::Deref, sync::Arc};

use ndarray::{ArrayView2, Axis, CowArray, Ix2};

use crate::{
    FdPca, METRICS, MetricError, Real, Samples, Settings, Value,
    draws::Draw,
    halves::{halves, interval},
};

/// A kind of metric, as a registry lists it.
pub trait MetricKind: Debug + Sync {
    /// The name in experiment files, commands and logs, snake_case.
    fn name(&self) -> &'static str;

    /// What it is, in a line, with its source.
    fn about(&self) -> &'static str;

    /// What a reader of a report should know of it, in sentences; by default the line above.
    fn explained(&self) -> &'static str {
        self.about()
    }

    /// Of what it is taken, which decides the names it has for pictures.
    fn taken(&self) -> Taken {
        Taken::Samples
    }

    /// Where it is computed though nobody asked for it by name, of samples that it [applies to](Self::applies_to).
    fn unasked(&self) -> Unasked {
        Unasked::Everywhere
    }

    /// Whether it is meant for samples of shape `[channels, height, width]`; points are `[dimension, 1, 1]`.
    fn applies_to(&self, _shape: [usize; 3]) -> bool {
        true
    }

    /// Which values are better.
    fn better(&self) -> Better {
        Better::Lower
    }

    /// Whether it compares with real data.
    fn needs_real(&self) -> bool {
        true
    }

    /// Whether mean and covariance of the real data are enough.
    fn takes_statistics(&self) -> bool {
        false
    }

    /// Whether it compares sets of equal size only: of the larger, a keyed choice is taken.
    fn needs_equal_sizes(&self) -> bool {
        false
    }

    /// Real samples that a run needs at least for it.
    fn least(&self) -> usize {
        1
    }

    /// Samples that it takes at most, if there is a limit.
    fn most(&self) -> Option<usize> {
        None
    }

    /// Numbers in f64 that it holds for so many samples, beside the samples; for estimates of memory.
    fn doubles(&self, _samples: usize, _dimension: usize) -> usize {
        0
    }

    /// What a value of it, or of a part of it, can be at least and at most.
    fn range(&self, _part: &str) -> [f64; 2] {
        [0.0, f64::INFINITY]
    }

    /// Prepares the real data, so that its part of the work is done once.
    ///
    /// # Errors
    /// What is wrong with the real data.
    fn reference(&self, real: &Real, settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError>;
}

/// Of what a metric is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Of points, rows and pixels, under its name.
    Samples,
    /// Of points and rows under its name, of pixels as `…_pixels`.
    Rows,
    /// The same, and of the features of a network as `…_efflite0` and `…_inception`.
    Features,
    /// Of the logits of a network.
    Logits,
    /// Of points whose density is known.
    Density,
    /// Of pictures whose classes are known, by a classifier.
    Classes,
}

/// Where a metric is computed though nobody asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// In runs and by `meanflow eval`.
    Everywhere,
    /// By `meanflow eval` alone.
    Eval,
    /// Nowhere.
    Nowhere,
}

/// Which values are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Lower ones: a distance.
    Lower,
    /// Higher ones.
    Higher,
    /// Neither.
    Neither,
}

impl Better {
    /// In a word, as logs have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::Neither => "neither",
        }
    }
}

/// The real data as a metric needs it.
pub trait MetricReference: Debug + Send + Sync {
    /// The values of samples: one, or one for each part of the metric.
    ///
    /// # Errors
    /// What is wrong with the samples.
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError>;

    /// Whether the interval of a value comes from halves of the samples; else a value brings its own, or has none.
    fn has_halves(&self) -> bool {
        true
    }

    /// The values, and for each those of halves of the samples, from which its interval comes; of no half where it
    /// [has none](Self::has_halves). A metric that can do it in one pass says so here.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    fn with_halves(
        &self,
        samples: &Samples<'_>,
        halves: &[Vec<usize>],
    ) -> Result<(Vec<Value>, Vec<Vec<f64>>), MetricError> {
        let values = self.values(samples)?;
        if !self.has_halves() {
            return Ok((values, Vec::new()));
        }
        let mut spreads = vec![Vec::new(); values.len()];
        for half in halves {
            let found = match self.values(&samples.rows.select(Axis(0), half).view().into()) {
                // A half is too small for it.
                Err(MetricError::TooFewSamples { .. }) => return Ok((values, Vec::new())),
                found => found?,
            };
            for (spread, value) in spreads.iter_mut().zip(found) {
                spread.push(value.value);
            }
        }
        Ok((values, spreads))
    }

    /// The components that samples are projected on, if a Fréchet distance on them is all that the metric sees: samples that come
    /// in parts are then projected and not kept.
    fn components(&self) -> Option<&FdPca> {
        None
    }
}

/// A kind of metric by reference; two of one name are equal.
#[derive(Clone, Copy, Debug)]
pub struct Metric(pub &'static dyn MetricKind);

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Deref for Metric {
    type Target = dyn MetricKind;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl Metric {
    /// The built-in metric of this name.
    pub fn named(name: &str) -> Option<Self> {
        METRICS.iter().copied().find(|metric| metric.name() == name)
    }

    /// Prepares the real data, see [`MetricKind::reference`].
    ///
    /// # Errors
    /// What the metric says of its real data.
    pub fn reference(self, real: &Real, settings: &Settings) -> Result<Reference, MetricError> {
        let prepared = self.0.reference(real, settings)?;
        Ok(Reference { metric: self, settings: *settings, real: real.len(), prepared })
    }

    /// The values of samples against real data, see [`Reference::evaluate`].
    ///
    /// # Errors
    /// What the metric says of either.
    pub fn evaluate(
        self,
        samples: ArrayView2<'_, f32>,
        real: &Real,
        settings: &Settings,
    ) -> Result<Vec<Value>, MetricError> {
        self.reference(real, settings)?.evaluate(&samples.into())
    }
}

/// A metric with its real data.
#[derive(Clone, Debug)]
pub struct Reference {
    metric: Metric,
    settings: Settings,
    /// Rows of the real data.
    real: Option<usize>,
    pub(crate) prepared: Arc<dyn MetricReference>,
}

/// Fewer samples have no halves to speak of.
const FEWEST: usize = 8;

impl Reference {
    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The values, with intervals from [`Settings::repeats`] random halves of the samples (for KID, of each of its subsets);
    /// without where there are fewer than eight, or too few in a half.
    ///
    /// Metrics of equal sizes take a keyed choice of the larger set; [`Value::with`] says as `n` how many were compared.
    ///
    /// # Errors
    /// What the metric says of the samples.
    pub fn evaluate(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let rows = self.no_more_than_real(samples.rows);
        let n = rows.nrows();
        let halves = self.halves(n);
        let found = self.prepared.with_halves(&Samples { rows: rows.view(), ..*samples }, &halves)?;
        Ok(self.with_intervals(found, n))
    }

    /// What other real samples score, without intervals: data against data.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn floor(&self, others: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        Self { settings: Settings { repeats: 0, ..self.settings }, ..self.clone() }.evaluate(others)
    }

    pub(crate) fn halves(&self, n: usize) -> Vec<Vec<usize>> {
        let repeats = if n < FEWEST { 0 } else { self.settings.repeats };
        halves(n, repeats, self.settings.seed)
    }

    /// Values of `n` samples with the intervals that those of halves give.
    pub(crate) fn with_intervals(
        &self,
        (mut values, spreads): (Vec<Value>, Vec<Vec<f64>>),
        n: usize,
    ) -> Vec<Value> {
        for (place, value) in values.iter_mut().enumerate() {
            let [least, most] = self.metric.range(value.part);
            let spread = spreads.get(place).map(Vec::as_slice).unwrap_or_default();
            let found = value.interval.or(interval(value.value, spread, n / 2, n));
            value.interval = found.map(|[low, high]| [low.max(least), high.min(most)]);
        }
        values
    }

    /// For metrics of equal sizes, a keyed choice of as many samples as there are real ones.
    fn no_more_than_real<'b>(&self, samples: ArrayView2<'b, f32>) -> CowArray<'b, f32, Ix2> {
        match self.real {
            Some(real) if self.metric.needs_equal_sizes() && samples.nrows() > real => {
                let chosen = Draw::Fewer.choice(samples.nrows(), real, self.settings.seed);
                samples.select(Axis(0), &chosen).into()
            }
            _ => samples.into(),
        }
    }
}

/// Real samples apart: a keyed choice of `n` of them, at most half, and the rest to score it against.
pub fn apart(rows: usize, n: usize, seed: u64) -> [Vec<usize>; 2] {
    let chosen = Draw::Floor.choice(rows, n.min(rows / 2), seed);
    let rest = crate::Input::rest(rows, &chosen);
    [chosen, rest]
}

/// As many real rows as there are samples, which are no more: a keyed choice.
pub(crate) fn as_many<'a>(real: ArrayView2<'a, f32>, n: usize, seed: u64) -> CowArray<'a, f32, Ix2> {
    if n == real.nrows() {
        return real.into();
    }
    let chosen = Draw::Real.choice(real.nrows(), n, seed);
    real.select(Axis(0), &chosen).into()
}

/// Whether samples of this shape are points.
pub(crate) fn are_points(shape: [usize; 3]) -> bool {
    shape[1..] == [1, 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of two points against the other, and not against both.
    #[test]
    fn the_floor_compares_with_the_rest() {
        let real = ndarray::array![[0.0f32], [1.0]];
        let [chosen, rest] = apart(2, 10, 0);
        let rest = Real::Rows(real.select(Axis(0), &rest).into_shared());
        let energy = Metric::named("energy").unwrap().reference(&rest, &Settings::default()).unwrap();
        let found = energy.floor(&real.select(Axis(0), &chosen).view().into()).unwrap();
        assert_eq!((found[0].value, found[0].interval), (2.0, None));
    }
}
