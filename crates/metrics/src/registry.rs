//! The metrics that an experiment may name.

use ndarray::{Array2, ArrayViewD, CowArray, Ix2};

use crate::{
    FdPca, MetricError, energy,
    pairs::PairReference,
    samples::{REAL, check, check_pair},
    sliced_wasserstein2,
    wasserstein::{W2_MOST, wasserstein2},
};

/// What kind of data a metric is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// Points: samples of shape `[dimension, 1, 1]`.
    Points,
    /// Images: samples with a height or width above one.
    Images,
}

/// A metric by name. All are distances: lower is better, and data against data at the same n is the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `w2`: exact 2-Wasserstein distance, [`wasserstein2`].
    W2,
    /// `energy`: energy distance, [`energy_distance`](crate::energy_distance).
    Energy,
    /// `sliced_w2`: sliced 2-Wasserstein distance over [`Metric::PROJECTIONS`] directions, [`sliced_wasserstein2`].
    SlicedW2,
    /// `fd_pca64`: Fréchet distance on 64 principal components of the real data, [`FdPca`].
    FdPca64,
}

impl Metric {
    /// All metrics, in the order in which reports list them.
    pub const ALL: [Self; 4] = [Self::W2, Self::SlicedW2, Self::Energy, Self::FdPca64];

    /// Directions of `sliced_w2`.
    pub const PROJECTIONS: usize = 256;

    /// The name in experiment files and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::W2 => "w2",
            Self::Energy => "energy",
            Self::SlicedW2 => "sliced_w2",
            Self::FdPca64 => "fd_pca64",
        }
    }

    /// The metric of this name.
    ///
    /// # Errors
    /// A name that no metric has; the error lists the names.
    pub fn from_name(name: &str) -> Result<Self, MetricError> {
        Self::ALL.into_iter().find(|metric| metric.name() == name).ok_or_else(|| MetricError::UnknownName {
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).to_vec(),
        })
    }

    /// What kind of data it is for.
    pub fn applies(self) -> Applies {
        match self {
            Self::W2 | Self::Energy | Self::SlicedW2 => Applies::Points,
            Self::FdPca64 => Applies::Images,
        }
    }

    /// Whether it is for samples of shape `[channels, height, width]`; `fd_pca64` also needs 64 elements.
    pub fn applies_to(self, shape: [usize; 3]) -> bool {
        let kind = if shape[1] == 1 && shape[2] == 1 { Applies::Points } else { Applies::Images };
        self.applies() == kind && (self != Self::FdPca64 || shape.iter().product::<usize>() >= 64)
    }

    /// Whether the reference must hold exactly as many samples as are scored against it.
    pub fn needs_equal_sizes(self) -> bool {
        matches!(self, Self::W2 | Self::SlicedW2)
    }

    /// Real samples that it needs at least.
    pub fn least(self) -> usize {
        match self {
            Self::FdPca64 => 65,
            Self::W2 | Self::SlicedW2 | Self::Energy => 1,
        }
    }

    /// Samples that it takes at most, if there is a limit.
    pub fn most(self) -> Option<usize> {
        (self == Self::W2).then_some(W2_MOST)
    }

    /// A smaller value is a better one. True of every metric so far.
    pub fn lower_is_better(self) -> bool {
        true
    }

    /// Prepares the reference, so that its part of the work is done once. `seed` keys the directions of `sliced_w2`.
    ///
    /// # Shapes
    /// `real`: `[n, dimension]`, any trailing axes (`[n, channels, height, width]`) being flattened.
    ///
    /// # Errors
    /// What the metric's own function says of its reference.
    pub fn reference(self, real: ArrayViewD<'_, f32>, seed: u64) -> Result<Reference, MetricError> {
        let real = flat(&real);
        let kind = match self {
            Self::W2 => Kind::W2(real.into_owned()),
            Self::Energy => {
                check(real.view(), REAL, 1)?;
                Kind::Energy(Box::new(energy::reference(real.into_owned().into())))
            }
            Self::SlicedW2 => Kind::SlicedW2(real.into_owned(), seed),
            Self::FdPca64 => Kind::FdPca(Box::new(FdPca::fit(real.view(), 64)?)),
        };
        Ok(Reference { metric: self, kind })
    }
}

/// A metric with its reference data.
#[derive(Clone, Debug)]
pub struct Reference {
    metric: Metric,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    W2(Array2<f32>),
    Energy(Box<PairReference<'static, f32>>),
    SlicedW2(Array2<f32>, u64),
    FdPca(Box<FdPca>),
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

    /// The components that samples are projected on, if that is all that the metric sees of them.
    pub(crate) fn components(&self) -> Option<&FdPca> {
        match &self.kind {
            Kind::FdPca(pca) => Some(pca),
            Kind::W2(_) | Kind::Energy(_) | Kind::SlicedW2(..) => None,
        }
    }

    /// Scores samples against the reference.
    ///
    /// # Shapes
    /// `samples`: `[n, dimension]` with any trailing axes, as in [`Metric::reference`].
    ///
    /// # Errors
    /// What the metric's own function says of its samples.
    pub fn score(&self, samples: ArrayViewD<'_, f32>) -> Result<Score, MetricError> {
        let samples = flat(&samples);
        let (value, reference) = match &self.kind {
            Kind::W2(real) => (wasserstein2(samples.view(), real.view())?, real.nrows()),
            Kind::Energy(reference) => {
                check_pair(samples.view(), reference.real(), 1)?;
                let sums = reference.sums(samples.view(), &[]);
                (energy::of(&sums[0]), reference.real().nrows())
            }
            Kind::SlicedW2(real, seed) => {
                let value = sliced_wasserstein2(samples.view(), real.view(), Metric::PROJECTIONS, *seed)?;
                (value, real.nrows())
            }
            Kind::FdPca(pca) => (pca.distance(samples.view())?.frechet.distance, pca.reference()),
        };
        Ok(Score { metric: self.metric, value, n: samples.nrows(), reference })
    }
}

/// The first axis as rows, all others flattened.
fn flat<'a>(samples: &'a ArrayViewD<'_, f32>) -> CowArray<'a, f32, Ix2> {
    let n = samples.shape().first().copied().unwrap_or(0);
    let dimension: usize = samples.shape().iter().skip(1).product();
    samples.to_shape((n, dimension)).expect("the product of the axes")
}
