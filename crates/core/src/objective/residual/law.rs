//! The law of the two times of a row.

use crate::{
    Streams,
    random::open_unit,
    time::{TimeLaw, TimeSampler, Times},
};

/// The law of `(t, r)`, in house time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// `r = 0` on all rows: consistency.
    ToData(TimeLaw),
    /// Pairs, of which some begin at the data.
    Pairs {
        /// The law of the pairs.
        times: TimeSampler,
        /// The rows with `r = 0`.
        zero: Zero,
    },
}

/// Rows on which `r := 0` in place of what was drawn. Rows with `r = t` stay so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Zero {
    /// The last `⌊share·batch⌋` of the batch.
    Last(f64),
    /// Each row with the probability `arccos(min(1, k))/arccos(0)`, where `k` rises from 0 to 1 over this first share of the run (ESC);
    /// 0 is never.
    Annealed(f64),
}

impl Zero {
    /// The probability at a share of the run.
    pub(super) fn probability(over: f64, progress: f64) -> f64 {
        if over <= 0.0 { 0.0 } else { annealed(progress / over) }
    }
}

/// `arccos(min(1, k))/arccos(0)`.
pub(super) fn annealed(k: f64) -> f64 {
    k.min(1.0).acos() / std::f64::consts::FRAC_PI_2
}

impl Law {
    /// The times of a batch at a step that lies at `progress` of the run.
    pub(super) fn draw(&self, streams: &Streams, step: u64, progress: f64, batch: usize) -> Times {
        match *self {
            Self::ToData(law) => {
                let mut rng = streams.rng("time-t", step);
                let t: Vec<f32> = (0..batch).map(|_| law.draw(&mut rng) as f32).collect();
                Times { r: vec![0.0; batch], t, still: 0 }
            }
            Self::Pairs { times, zero } => {
                let mut times = times.draw(streams, step, batch);
                let mut rng = streams.rng("time-zero", step);
                for row in times.still..batch {
                    let to_data = match zero {
                        Zero::Last(share) => row >= batch - (share * batch as f64 + 1e-9).floor() as usize,
                        Zero::Annealed(over) => open_unit(&mut rng) < Zero::probability(over, progress),
                    };
                    if to_data {
                        times.r[row] = 0.0;
                    }
                }
                times
            }
        }
    }

    /// The share of rows with `r ≠ t`, at most.
    pub(super) fn moved(&self) -> f64 {
        match self {
            Self::ToData(_) => 1.0,
            Self::Pairs { times, .. } => times.share,
        }
    }
}
