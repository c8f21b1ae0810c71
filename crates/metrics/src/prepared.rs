//! Scores with their real data, so that its part of the work is done once for all halves of the samples.

use ndarray::{ArrayView2, Axis, CowArray, Ix2};

use crate::{
    FdPca, Measure, MetricError, Moments, Real, Settings, Statistics, Value,
    draws::Draw,
    energy,
    halves::{halves, interval},
    inception_score, kid, median_distance, mmd,
    pairs::{PairReference, PairSums},
    prdc::PrdcReference,
    samples::{REAL, SAMPLES, check, check_pair},
    sliced::PROJECTIONS,
    sliced_wasserstein2, wasserstein2,
};

/// Fewer samples have no halves to speak of.
const FEWEST: usize = 8;

/// A measure with its real data.
pub(crate) struct Prepared<'a> {
    measure: Measure,
    settings: Settings,
    side: Side<'a>,
}

/// What a measure keeps of the real data.
enum Side<'a> {
    W2(ArrayView2<'a, f32>),
    SlicedW2(ArrayView2<'a, f32>),
    Pairs(Pairs<'a>),
    Pca(FdPca),
    Gaussian(Statistics),
    Kid(ArrayView2<'a, f32>),
    Prdc(PrdcReference<'a, f32>),
    Nothing,
}

/// A score that is made of sums over pairs.
struct Pairs<'a> {
    reference: PairReference<'a, f32>,
    of: fn(&PairSums) -> f64,
    /// Samples that it takes.
    least: usize,
    with: Vec<(&'static str, f64)>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(measure: Measure, real: Real<'a>, settings: Settings) -> Result<Self, MetricError> {
        let rows = |needed| match real {
            Real::Rows(rows) => check(rows, REAL, needed).map(|()| rows),
            Real::Statistics(_) => Err(MetricError::NeedsRows),
            Real::None => Err(MetricError::NeedsReal),
        };
        let side = match measure {
            Measure::W2 => Side::W2(rows(1)?),
            Measure::SlicedW2 => Side::SlicedW2(rows(1)?),
            Measure::Energy => {
                let reference = energy::reference(rows(1)?.into());
                Side::Pairs(Pairs { reference, of: energy::of, least: 1, with: vec![] })
            }
            Measure::Mmd => {
                let bandwidth = median_distance(rows(2)?, settings.seed)?;
                let reference = mmd::reference(rows(2)?.into(), bandwidth)?;
                let with = vec![("bandwidth", bandwidth)];
                Side::Pairs(Pairs { reference, of: PairSums::unbiased, least: 2, with })
            }
            Measure::KidFull => {
                let reference = kid::reference(rows(2)?.into());
                Side::Pairs(Pairs { reference, of: PairSums::unbiased, least: 2, with: vec![] })
            }
            Measure::Kid => Side::Kid(rows(2)?),
            Measure::FdPca64 => {
                let rows = rows(2)?;
                Side::Pca(FdPca::fit(rows, 64.min(rows.nrows() - 1).min(rows.ncols()))?)
            }
            Measure::Frechet => Side::Gaussian(match real {
                Real::Statistics(statistics) => statistics.clone(),
                Real::Rows(rows) => statistics(rows).map_err(|error| error.of(REAL))?,
                Real::None => return Err(MetricError::NeedsReal),
            }),
            Measure::Prdc => Side::Prdc(PrdcReference::new(rows(1)?, settings.neighbours)?),
            Measure::InceptionScore => Side::Nothing,
        };
        Ok(Self { measure, settings, side })
    }

    /// The values, with intervals where there are enough samples for them.
    pub(crate) fn evaluate(&self, samples: ArrayView2<'_, f32>) -> Result<Vec<Value>, MetricError> {
        let samples = self.no_more_than_real(samples);
        let (samples, n) = (samples.view(), samples.nrows());
        let repeats = if n < FEWEST { 0 } else { self.settings.repeats };
        let halves = halves(n, repeats, self.settings.seed);
        let (mut values, spreads) = match &self.side {
            // One pass over the pairs sees all halves.
            Side::Pairs(Pairs { reference, of, least, with }) => {
                check_pair(samples, reference.real(), *least)?;
                let found: Vec<f64> = reference.sums(samples, &halves).iter().map(of).collect();
                (one(found[0], with.clone()), vec![found[1..].to_vec()])
            }
            // It has halves inside its subsets.
            Side::Kid(_) => (self.values(samples)?, vec![Vec::new()]),
            _ => {
                let values = self.values(samples)?;
                let spreads = self.spreads(samples, &halves, values.len())?;
                (values, spreads)
            }
        };
        for (value, spread) in values.iter_mut().zip(&spreads) {
            let [least, most] = self.measure.range(value.part);
            let found = value.interval.or(interval(value.value, spread, n / 2, n));
            value.interval = found.map(|[low, high]| [low.max(least), high.min(most)]);
        }
        Ok(values)
    }

    /// The values of each half; none where a half is too small for them.
    fn spreads(
        &self,
        samples: ArrayView2<'_, f32>,
        halves: &[Vec<usize>],
        count: usize,
    ) -> Result<Vec<Vec<f64>>, MetricError> {
        let mut spreads = vec![Vec::new(); count];
        for half in halves {
            let values = match self.values(samples.select(Axis(0), half).view()) {
                Err(MetricError::TooFewSamples { .. }) => return Ok(vec![Vec::new(); count]),
                values => values?,
            };
            for (spread, value) in spreads.iter_mut().zip(values) {
                spread.push(value.value);
            }
        }
        Ok(spreads)
    }

    /// For the measures of equal sizes, a keyed choice of as many samples as there are real ones.
    fn no_more_than_real<'b>(&self, samples: ArrayView2<'b, f32>) -> CowArray<'b, f32, Ix2> {
        match &self.side {
            Side::W2(real) | Side::SlicedW2(real) if samples.nrows() > real.nrows() => {
                let chosen = Draw::Fewer.choice(samples.nrows(), real.nrows(), self.settings.seed);
                samples.select(Axis(0), &chosen).into()
            }
            _ => samples.into(),
        }
    }

    /// The values without intervals, but for the one that comes with it.
    fn values(&self, samples: ArrayView2<'_, f32>) -> Result<Vec<Value>, MetricError> {
        let settings = &self.settings;
        let (n, seed) = (samples.nrows(), ("seed", settings.seed as f64));
        Ok(match &self.side {
            Side::W2(real) => {
                let value = wasserstein2(samples, self.as_many(real, n).view())?;
                one(value, vec![("n", n as f64), seed])
            }
            Side::SlicedW2(real) => {
                let projections = PROJECTIONS;
                let real = self.as_many(real, n);
                let value = sliced_wasserstein2(samples, real.view(), projections, settings.seed)?;
                one(value, vec![("n", n as f64), ("projections", projections as f64), seed])
            }
            Side::Pca(pca) => {
                let value = pca.distance(samples)?.frechet.distance;
                one(value, vec![("components", pca.components() as f64), ("explained", pca.explained())])
            }
            Side::Gaussian(real) => {
                let own = statistics(samples).map_err(|error| error.of(SAMPLES))?;
                one(own.distance(real)?.distance, vec![])
            }
            Side::Kid(real) => self.kid(samples, *real)?,
            Side::Prdc(real) => {
                let found = real.score(samples)?;
                let with = vec![("neighbours", settings.neighbours as f64)];
                let value = |part, value| Value { part, value, interval: None, with: with.clone() };
                vec![
                    value("precision", found.precision),
                    value("recall", found.recall),
                    value("density", found.density),
                    value("coverage", found.coverage),
                ]
            }
            Side::Nothing => {
                let splits = settings.splits.min(n);
                let found = inception_score(samples, splits)?;
                one(found.mean, vec![("splits", splits as f64), ("std", found.std)])
            }
            Side::Pairs(_) => unreachable!("all halves at once"),
        })
    }

    /// As many real rows as there are samples, which are no more: a keyed choice.
    fn as_many(&self, real: &ArrayView2<'a, f32>, n: usize) -> CowArray<'a, f32, Ix2> {
        if n == real.nrows() {
            return (*real).into();
        }
        real.select(Axis(0), &Draw::Real.choice(real.nrows(), n, self.settings.seed)).into()
    }

    fn kid(
        &self,
        samples: ArrayView2<'_, f32>,
        real: ArrayView2<'_, f32>,
    ) -> Result<Vec<Value>, MetricError> {
        let Settings { seed, repeats, kid_subsets, kid_size, .. } = self.settings;
        if kid_size < 2 {
            return Err(MetricError::TooFewSamples { what: "a subset of KID", needed: 2, got: kid_size });
        }
        let size = kid_size.min(samples.nrows().min(real.nrows()) / 2).max(2);
        let (found, error) = kid::with_error(samples, real, kid_subsets, size, seed, repeats)?;
        let with = vec![
            ("subsets", kid_subsets as f64),
            ("size", size as f64),
            ("std", found.std),
            ("seed", seed as f64),
        ];
        let interval = error.map(|error| [found.mean - 2.0 * error, found.mean + 2.0 * error]);
        Ok(vec![Value { part: "", value: found.mean, interval, with }])
    }
}

fn one(value: f64, with: Vec<(&'static str, f64)>) -> Vec<Value> {
    vec![Value { part: "", value, interval: None, with }]
}

fn statistics(rows: ArrayView2<'_, f32>) -> Result<Statistics, MetricError> {
    let mut moments = Moments::new(rows.ncols());
    moments.add(rows)?;
    Statistics::of(&moments)
}
