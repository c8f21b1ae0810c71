//! Time samplers: laws of one time and the published pairings of `t` and `r` (MeanFlow, section 4.3; py-meanflow v1).

use crate::random::{Streams, open_unit};
use meanflow_settings::{Choice, Number, Reader};
use rand_distr::{Distribution, StandardNormal};

/// The law of one time in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TimeLaw {
    /// U(0, 1).
    Uniform,
    /// `sigmoid(mean + std·n)`, `n ~ N(0, 1)`.
    LogitNormal {
        /// Mean of the logit.
        mean: f64,
        /// Standard deviation of the logit.
        std: f64,
    },
    /// `(2/π)·atan(exp(mean + std·n))`: the logarithm of the tangent of `πt/2` is normal (sCM, arXiv 2410.11081).
    AtanNormal {
        /// Mean of the logarithm.
        mean: f64,
        /// Standard deviation of the logarithm.
        std: f64,
    },
}

impl TimeLaw {
    /// Of the recipes of MeanFlow's paper: `sigmoid(−0.4 + n)`.
    pub const PUBLISHED: Self = Self::LogitNormal { mean: -0.4, std: 1.0 };

    /// `"uniform"`, or a table such as `{ logit-normal = { mean = -0.4, std = 1.0 } }`.
    pub fn read(r: &mut Reader, key: &'static str, default: Self) -> Self {
        let (name, (mean, std)) = match default {
            Self::Uniform => ("uniform", (-0.4, 1.0)),
            // A table that leaves them out means the published ones, whatever they would be without the table.
            Self::LogitNormal { .. } | Self::AtanNormal { .. } if r.has(key) => ("logit-normal", (-0.4, 1.0)),
            Self::LogitNormal { mean, std } => ("logit-normal", (mean, std)),
            Self::AtanNormal { mean, std } => ("atan-normal", (mean, std)),
        };
        let read = |name: &'static str, r: &mut Reader| {
            if name == "uniform" {
                return Self::Uniform;
            }
            let (mean, std) = (r.get("mean", Number::ANY, mean), r.get("std", Number::POSITIVE, std));
            if name == "atan-normal" {
                Self::AtanNormal { mean, std }
            } else {
                Self::LogitNormal { mean, std }
            }
        };
        let law = r.either(key, "a law of time", &["uniform"], &["logit-normal", "atan-normal"], name, read);
        law.unwrap_or(default)
    }

    /// The time of a normal draw; of the uniform law that of its probability.
    pub fn of(&self, n: f64) -> f64 {
        match *self {
            Self::Uniform => 0.5 * libm::erfc(-n * std::f64::consts::FRAC_1_SQRT_2),
            Self::LogitNormal { mean, std } => 1.0 / (1.0 + (-(mean + std * n)).exp()),
            Self::AtanNormal { mean, std } => (mean + std * n).exp().atan() * std::f64::consts::FRAC_2_PI,
        }
    }

    /// One draw.
    pub fn draw(&self, rng: &mut chacha20::ChaCha8Rng) -> f64 {
        match *self {
            TimeLaw::Uniform => open_unit(rng),
            TimeLaw::LogitNormal { .. } | TimeLaw::AtanNormal { .. } => self.of(StandardNormal.sample(rng)),
        }
    }
}

/// The value at probability `u` of a standard normal that is cut above at `most`: `Φ⁻¹(u·Φ(most))`.
pub fn normal_below(most: f64, u: f64) -> f64 {
    let distribution = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    let wanted = u * distribution(most);
    // Below −38 the distribution is 0 in f64. Halving ends when the ends are neighbours.
    let (mut low, mut high) = (-39.0, most.clamp(-39.0, 39.0));
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if distribution(middle) < wanted { low = middle } else { high = middle }
    }
}

/// How a pair `r ≤ t` is made of two draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Sort, then mask: `t = max`, `r = min`, then `r := t` on the rows that are not moved. A row with `r = t` therefore
    /// sees the later of two draws (official JAX and the CIFAR-10 paper recipe).
    V0,
    /// Mask, then min: `t` keeps its own law exactly, `r := min(t, r)`. A pair drawn with `r > t` collapses to `r = t`, so
    /// the realised share of `r ≠ t` lies below the nominal one (improved CIFAR-10 recipe).
    V1,
}

/// How the rows with `r ≠ t` are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Exactly `batch − ⌊batch·(1 − share)⌋` rows.
    Prefix,
    /// Each row by itself with probability `share`.
    Random,
}

/// The joint law of `(t, r)` over a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeSampler {
    /// Law of the first draw.
    pub t: TimeLaw,
    /// Law of the second draw.
    pub r: TimeLaw,
    /// How the two draws make a pair.
    pub pairing: Pairing,
    /// Share of rows with `r ≠ t`, in [0, 1].
    pub share: f64,
    /// Whether that share is exact or in expectation.
    pub split: Split,
}

/// Times of a batch, rows with `r = t` first.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// `[batch]`.
    pub t: Vec<f32>,
    /// `[batch]`, `r ≤ t`.
    pub r: Vec<f32>,
    /// How many leading rows have `r = t`.
    pub still: usize,
}

impl Times {
    /// Orders pairs so that the rows with `r = t` come first, each part in its given order.
    ///
    /// Rows of a batch are exchangeable, so re-assigning pairs to rows leaves the training law unchanged and lets the
    /// batch be split by slicing.
    ///
    /// # Panics
    /// If some `r > t`.
    pub fn new(pairs: impl IntoIterator<Item = (f32, f32)>) -> Self {
        let (still, moved): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(t, r)| {
            assert!(r <= t, "a pair needs r ≤ t, got t = {t}, r = {r}");
            t == r
        });
        let count = still.len();
        let (t, r) = still.into_iter().chain(moved).unzip();
        Self { t, r, still: count }
    }
}

impl TimeSampler {
    /// The keys `time`, `time-r`, `pairing`, `share` and `share-draw`.
    pub fn read(r: &mut Reader, share: f64) -> Self {
        let t = TimeLaw::read(r, "time", TimeLaw::PUBLISHED);
        let second = TimeLaw::read(r, "time-r", t);
        let pairings = Choice(vec![("v0", Pairing::V0), ("v1", Pairing::V1)]);
        let pairing = r.get("pairing", pairings, Pairing::V0);
        let share = r.get("share", Number::UNIT, share);
        let splits = Choice(vec![("prefix", Split::Prefix), ("random", Split::Random)]);
        Self { t, r: second, pairing, share, split: r.get("share-draw", splits, Split::Prefix) }
    }

    /// The times of a batch at `step`.
    ///
    /// With `share = 0` no pair exists and `t` is the single draw that flow matching makes, whatever the pairing.
    pub fn draw(&self, streams: &Streams, step: u64, batch: usize) -> Times {
        let mut first = streams.rng("time-t", step);
        let t: Vec<f64> = (0..batch).map(|_| self.t.draw(&mut first)).collect();
        if self.share == 0.0 {
            return Times::new(t.into_iter().map(|t| (t as f32, t as f32)));
        }
        let mut second = streams.rng("time-r", step);
        let mut mask = streams.rng("time-mask", step);
        let still = (batch as f64 * (1.0 - self.share) + 1e-9).floor() as usize;
        Times::new(t.into_iter().enumerate().map(|(row, a)| {
            let b = self.r.draw(&mut second);
            let moved = match self.split {
                Split::Prefix => row >= still,
                Split::Random => open_unit(&mut mask) < self.share,
            };
            let (t, r) = match (self.pairing, moved) {
                (Pairing::V0, true) => (a.max(b), a.min(b)),
                (Pairing::V0, false) => (a.max(b), a.max(b)),
                (Pairing::V1, true) => (a, a.min(b)),
                (Pairing::V1, false) => (a, a),
            };
            (t as f32, r as f32)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAW: TimeLaw = TimeLaw::LogitNormal { mean: -0.4, std: 1.0 };

    fn sampler(pairing: Pairing, split: Split, share: f64) -> TimeSampler {
        TimeSampler { t: LAW, r: LAW, pairing, share, split }
    }

    fn mean(values: &[f32]) -> f64 {
        values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn r_never_exceeds_t_and_still_rows_lead() {
        for pairing in [Pairing::V0, Pairing::V1] {
            for split in [Split::Prefix, Split::Random] {
                for share in [0.0, 0.25, 0.5, 1.0] {
                    let times = sampler(pairing, split, share).draw(&Streams::new(3), 7, 257);
                    assert_eq!(times.t.len(), 257);
                    for row in 0..257 {
                        let (t, r) = (times.t[row], times.r[row]);
                        assert!((0.0..=1.0).contains(&r) && r <= t && t <= 1.0);
                        assert_eq!(r == t, row < times.still, "{pairing:?} {split:?} {share} row {row}");
                    }
                }
            }
        }
    }

    #[test]
    fn prefix_share_is_the_published_count() {
        // Official JAX: the first ⌊B·0.75⌋ rows have r = t.
        for (batch, moved) in [(64, 16), (10, 3), (7, 2), (1, 1)] {
            let times = sampler(Pairing::V0, Split::Prefix, 0.25).draw(&Streams::new(0), 0, batch);
            assert_eq!(batch - times.still, moved, "batch {batch}");
        }
    }

    #[test]
    fn random_share_is_met_in_expectation() {
        let sampler = sampler(Pairing::V0, Split::Random, 0.75);
        let moved: usize = (0..100).map(|step| 100 - sampler.draw(&Streams::new(1), step, 100).still).sum();
        // 10,000 Bernoulli(0.75) rows: standard deviation 43.
        assert!((7_500 - 200..7_500 + 200).contains(&moved), "{moved}");
    }

    #[test]
    fn v1_keeps_the_law_of_t_and_v0_takes_the_later_draw() {
        // E sigmoid(-0.4 + n) = 0.4180 by quadrature; E of the larger of two independent draws is 0.5347.
        let t = |pairing| mean(&sampler(pairing, Split::Prefix, 0.5).draw(&Streams::new(5), 0, 200_000).t);
        let quadrature = |f: &dyn Fn(f64, f64) -> f64| {
            let (n, width) = (400, 12.0);
            let point = |i: usize| -width / 2.0 + width * (i as f64 + 0.5) / n as f64;
            let density =
                |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt() * width / n as f64;
            let sigmoid = |x: f64| 1.0 / (1.0 + (0.4 - x).exp());
            (0..n)
                .flat_map(|i| (0..n).map(move |j| (point(i), point(j))))
                .map(|(a, b)| f(sigmoid(a), sigmoid(b)) * density(a) * density(b))
                .sum::<f64>()
        };
        let (one, later) = (quadrature(&|a, _| a), quadrature(&|a, b| a.max(b)));
        assert!((t(Pairing::V1) - one).abs() < 2e-3, "{} {one}", t(Pairing::V1));
        assert!((t(Pairing::V0) - later).abs() < 2e-3, "{} {later}", t(Pairing::V0));
    }

    #[test]
    fn share_zero_draws_what_any_pairing_draws_alone() {
        let draws = |pairing| sampler(pairing, Split::Prefix, 0.0).draw(&Streams::new(2), 9, 33);
        assert_eq!(draws(Pairing::V0), draws(Pairing::V1));
        assert_eq!(draws(Pairing::V0).still, 33);
    }
}
