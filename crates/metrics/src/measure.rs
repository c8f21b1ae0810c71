//! The scores that `meanflow eval` prints, by name.

use std::cell::OnceCell;

use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
use ndarray::{ArrayView2, Axis, CowArray, Ix2};
use serde::Serialize;

use crate::{
    FdPca, MetricError, Moments, Statistics, energy_distance,
    halves::{halves, interval},
    inception_score, kid, kid_subsets, median_distance, mmd_gaussian, prdc, sliced_wasserstein2,
    wasserstein2,
};

/// A score, apart from the space that it is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// `w2`: exact 2-Wasserstein distance, of points.
    W2,
    /// `sliced_w2` of points, `sw2` of pixels: sliced 2-Wasserstein distance, 256 directions.
    SlicedW2,
    /// `energy`: energy distance.
    Energy,
    /// `mmd`: squared maximum mean discrepancy, Gaussian kernel with the real data's median distance.
    Mmd,
    /// `fd_pca64`: Fréchet distance on the real data's first min(64, n − 1, dimension) principal components.
    FdPca64,
    /// `fd`, `fid`, …: Fréchet distance of the features.
    Frechet,
    /// `kid`: kernel inception distance, mean over subsets.
    Kid,
    /// `kid_full`: kernel inception distance of all samples at once.
    KidFull,
    /// `precision`, `recall`, `density`, `coverage`.
    Prdc,
    /// `is`: inception score; needs logits, and no real data.
    InceptionScore,
}

/// Settings that the values depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Key of directions, subsets and halves.
    pub seed: u64,
    /// Random halves that an interval comes from; below 2, no intervals.
    pub repeats: usize,
    /// Neighbours that the balls of precision, recall, density and coverage reach to.
    pub neighbours: usize,
    /// Subsets of KID.
    pub kid_subsets: usize,
    /// Samples of a subset of KID; cut to half of the smaller set.
    pub kid_size: usize,
    /// Splits of the inception score.
    pub splits: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, repeats: 20, neighbours: 5, kid_subsets: 100, kid_size: 1000, splits: 10 }
    }
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What of the measure it is: empty, or one of `precision`, `recall`, `density`, `coverage`, `std`.
    pub part: &'static str,
    /// The number.
    pub value: f64,
    /// About 95 % of it lies between these: two standard errors to both sides, for other samples of the same source and the
    /// same real data.
    pub interval: Option<[f64; 2]>,
    /// Settings that it depends on, by name.
    pub with: Vec<(&'static str, f64)>,
}

impl Value {
    /// A number by itself.
    pub fn alone(value: f64) -> Self {
        Self { part: "", value, interval: None, with: Vec::new() }
    }
}

/// The real side of a score.
#[derive(Clone, Copy, Debug)]
pub enum Real<'a> {
    /// The features themselves.
    Rows(ArrayView2<'a, f32>),
    /// Their mean and covariance, which is enough for a Fréchet distance.
    Statistics(&'a Statistics),
}

impl Measure {
    /// Whether statistics are enough of the real data.
    pub fn takes_statistics(self) -> bool {
        matches!(self, Self::Frechet | Self::InceptionScore)
    }

    /// Whether it compares sets of equal size only.
    pub fn needs_equal_sizes(self) -> bool {
        matches!(self, Self::W2 | Self::SlicedW2)
    }

    /// Computes it, with intervals from [`Settings::repeats`] random halves of the samples.
    ///
    /// # Shapes
    /// `samples`: `[n, dimension]`, real rows the same dimension; for [`Measure::InceptionScore`] the samples' logits.
    ///
    /// # Errors
    /// Those of the measure's own function; [`MetricError::NeedsRows`] if statistics are not enough.
    pub fn evaluate(
        self,
        samples: ArrayView2<'_, f32>,
        real: Real<'_>,
        settings: &Settings,
    ) -> Result<Vec<Value>, MetricError> {
        let prepared = Prepared::new(self, real, *settings)?;
        let n = samples.nrows();
        let mut values = prepared.values(samples)?;
        // The subsets of KID give its interval already; fewer than eight samples have no halves to speak of.
        let repeats = if self == Self::Kid || n < 8 { 0 } else { settings.repeats };
        let mut parts = vec![Vec::new(); values.len()];
        for half in halves(n, repeats, settings.seed) {
            let some = samples.select(Axis(0), &half);
            for (part, value) in parts.iter_mut().zip(prepared.values(some.view())?) {
                part.push(value.value);
            }
        }
        for (value, halves) in values.iter_mut().zip(&parts) {
            value.interval = value.interval.or(interval(value.value, halves, n / 2, n));
        }
        Ok(values)
    }
}

/// A measure with its real data; what the halves have in common is computed once.
struct Prepared<'a> {
    measure: Measure,
    real: Real<'a>,
    settings: Settings,
    statistics: OnceCell<Statistics>,
    pca: OnceCell<FdPca>,
    bandwidth: OnceCell<f64>,
}

impl<'a> Prepared<'a> {
    fn new(measure: Measure, real: Real<'a>, settings: Settings) -> Result<Self, MetricError> {
        let prepared = Self {
            measure,
            real,
            settings,
            statistics: OnceCell::new(),
            pca: OnceCell::new(),
            bandwidth: OnceCell::new(),
        };
        match measure {
            Measure::Frechet => {
                let statistics = match real {
                    Real::Statistics(statistics) => statistics.clone(),
                    Real::Rows(rows) => statistics(rows)?,
                };
                let _ = prepared.statistics.set(statistics);
            }
            Measure::FdPca64 => {
                let rows = prepared.rows()?;
                let components = 64.min(rows.nrows().saturating_sub(1)).min(rows.ncols());
                let _ = prepared.pca.set(FdPca::fit(rows, components.max(1))?);
            }
            Measure::Mmd => {
                let _ = prepared.bandwidth.set(median_distance(prepared.rows()?)?);
            }
            _ => {}
        }
        Ok(prepared)
    }

    fn rows(&self) -> Result<ArrayView2<'a, f32>, MetricError> {
        match self.real {
            Real::Rows(rows) => Ok(rows),
            Real::Statistics(_) => Err(MetricError::NeedsRows),
        }
    }

    /// As many real rows as there are samples, a keyed choice, for the measures of equal sizes.
    fn as_many(&self, n: usize) -> Result<CowArray<'a, f32, Ix2>, MetricError> {
        let rows = self.rows()?;
        if rows.nrows() <= n {
            return Ok(rows.into());
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
        let chosen = rand::seq::index::sample(&mut rng, rows.nrows(), n).into_vec();
        Ok(rows.select(Axis(0), &chosen).into())
    }

    fn values(&self, samples: ArrayView2<'_, f32>) -> Result<Vec<Value>, MetricError> {
        let settings = &self.settings;
        let one = |value: f64, with: Vec<(&'static str, f64)>| {
            vec![Value { part: "", value, interval: None, with }]
        };
        let seed = ("seed", settings.seed as f64);
        Ok(match self.measure {
            Measure::W2 => one(wasserstein2(samples, self.as_many(samples.nrows())?.view())?, vec![]),
            Measure::SlicedW2 => {
                let projections = crate::Metric::PROJECTIONS;
                let real = self.as_many(samples.nrows())?;
                let value = sliced_wasserstein2(samples, real.view(), projections, settings.seed)?;
                one(value, vec![("projections", projections as f64), seed])
            }
            Measure::Energy => one(energy_distance(samples, self.rows()?)?, vec![]),
            Measure::Mmd => {
                let bandwidth = *self.bandwidth.get().expect("prepared");
                one(mmd_gaussian(samples, self.rows()?, bandwidth)?, vec![("bandwidth", bandwidth)])
            }
            Measure::FdPca64 => {
                let pca = self.pca.get().expect("prepared");
                let value = pca.distance(samples)?.frechet.distance;
                one(value, vec![("components", pca.components() as f64), ("explained", pca.explained())])
            }
            Measure::Frechet => {
                let real = self.statistics.get().expect("prepared");
                one(statistics(samples)?.distance(real)?.distance, vec![])
            }
            Measure::Kid => {
                let real = self.rows()?;
                let least = samples.nrows().min(real.nrows());
                let size = settings.kid_size.min(least / 2).max(2);
                let found = kid_subsets(samples, real, settings.kid_subsets, size, settings.seed)?;
                let with = vec![
                    ("subsets", found.values.len() as f64),
                    ("size", size as f64),
                    ("std", found.std),
                    seed,
                ];
                let interval = interval(found.mean, &found.values, size, least);
                vec![Value { part: "", value: found.mean, interval, with }]
            }
            Measure::KidFull => one(kid(samples, self.rows()?)?, vec![]),
            Measure::Prdc => {
                let found = prdc(self.rows()?, samples, settings.neighbours)?;
                let with = vec![("neighbours", settings.neighbours as f64)];
                let value = |part, value| Value { part, value, interval: None, with: with.clone() };
                vec![
                    value("precision", found.precision),
                    value("recall", found.recall),
                    value("density", found.density),
                    value("coverage", found.coverage),
                ]
            }
            Measure::InceptionScore => {
                let splits = settings.splits.min(samples.nrows());
                let found = inception_score(samples, splits)?;
                let with = vec![("splits", splits as f64), ("std", found.std)];
                vec![Value { part: "", value: found.mean, interval: None, with }]
            }
        })
    }
}

fn statistics(rows: ArrayView2<'_, f32>) -> Result<Statistics, MetricError> {
    let mut moments = Moments::new(rows.ncols());
    moments.add(rows)?;
    Statistics::of(&moments)
}
