//! What a metric of an experiment's own evaluation is.

use core::fmt::Debug;
use std::{ops::Deref, sync::Arc};

use ndarray::{ArrayView2, ArrayViewD, CowArray, Ix2};

use crate::{FdPca, MetricError};

/// A kind of metric, as a registry lists it: a distance from the data, lower is better. Data against data at the same n is its
/// floor.
pub trait MetricKind: Debug + Sync {
    /// The name in experiment files and logs, snake_case.
    fn name(&self) -> &'static str;

    /// What it is, in a line, with its source.
    fn about(&self) -> &'static str;

    /// Whether it is for samples of shape `[channels, height, width]`; points are `[dimension, 1, 1]`.
    fn applies_to(&self, shape: [usize; 3]) -> bool;

    /// Whether the reference must hold exactly as many samples as are scored against it.
    fn needs_equal_sizes(&self) -> bool {
        false
    }

    /// Real samples that it needs at least.
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

    /// Prepares the real data, `[n, dimension]`, so that its part of the work is done once. `seed` keys what is random.
    ///
    /// # Errors
    /// What is wrong with the real data.
    fn reference(
        &self,
        real: ArrayView2<'_, f32>,
        seed: u64,
    ) -> Result<Arc<dyn MetricReference>, MetricError>;
}

/// The real data as a metric needs it.
pub trait MetricReference: Debug + Send + Sync {
    /// The score of samples, `[n, dimension]`, and the number of real samples that it is against.
    ///
    /// # Errors
    /// What is wrong with the samples.
    fn score(&self, samples: ArrayView2<'_, f32>) -> Result<(f64, usize), MetricError>;

    /// The components that samples are projected on, if that is all that the metric sees of them: samples that come in parts are
    /// then projected and not kept.
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
    /// Prepares the reference, see [`MetricKind::reference`].
    ///
    /// # Shapes
    /// `real`: `[n, dimension]`, any trailing axes (`[n, channels, height, width]`) being flattened.
    ///
    /// # Errors
    /// What the metric says of its reference.
    pub fn reference(self, real: ArrayViewD<'_, f32>, seed: u64) -> Result<Reference, MetricError> {
        Ok(Reference { metric: self, prepared: self.0.reference(flat(&real).view(), seed)? })
    }
}

/// A metric with its reference data.
#[derive(Clone, Debug)]
pub struct Reference {
    metric: Metric,
    prepared: Arc<dyn MetricReference>,
}

/// A value with what it was computed from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The metric.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
    /// Samples scored.
    pub n: usize,
    /// Real samples in the reference.
    pub reference: usize,
}

impl Reference {
    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// See [`MetricReference::components`].
    pub(crate) fn components(&self) -> Option<&FdPca> {
        self.prepared.components()
    }

    /// Scores samples against the reference.
    ///
    /// # Shapes
    /// `samples`: `[n, dimension]` with any trailing axes, as in [`Metric::reference`].
    ///
    /// # Errors
    /// What the metric says of its samples.
    pub fn score(&self, samples: ArrayViewD<'_, f32>) -> Result<Score, MetricError> {
        let samples = flat(&samples);
        let (value, reference) = self.prepared.score(samples.view())?;
        Ok(Score { metric: self.metric, value, n: samples.nrows(), reference })
    }
}

/// Whether samples of this shape are points.
pub(crate) fn are_points(shape: [usize; 3]) -> bool {
    shape[1..] == [1, 1]
}

/// The first axis as rows, all others flattened.
fn flat<'a>(samples: &'a ArrayViewD<'_, f32>) -> CowArray<'a, f32, Ix2> {
    let n = samples.shape().first().copied().unwrap_or(0);
    let dimension: usize = samples.shape().iter().skip(1).product();
    samples.to_shape((n, dimension)).expect("the product of the axes")
}
