//! The random numbers of one training step, drawn on the host.

use crate::{
    Dropout, Streams,
    random::open_unit,
    time::{TimeSampler, Times},
};

/// Everything random in one evaluation of an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// Noise `e`, row-major in the shape of the batch.
    pub noise: Vec<f32>,
    /// Times, rows with `r = t` first.
    pub times: Times,
    /// The first `dropped` rows lose their label.
    pub dropped: usize,
    /// Key of the masks of a network with dropout.
    pub dropout: Option<Dropout>,
    /// Scales and intervals of guidance, if the objective draws them.
    pub guidance: Option<GuidanceDraws>,
}

/// Guidance of each row as iMF draws it (arXiv 2512.02012).
#[derive(Clone, Debug, PartialEq)]
pub struct GuidanceDraws {
    /// Scale, at least 1, `[batch]`.
    pub omega: Vec<f32>,
    /// First time at which guidance acts, `[batch]`.
    pub t_min: Vec<f32>,
    /// Last time at which guidance acts, `[batch]`.
    pub t_max: Vec<f32>,
}

impl Draws {
    /// Noise, times and label dropout of `step`.
    ///
    /// The number of dropped labels is Binomial(batch, `label_dropout`) and they are the first rows, those with
    /// `r = t` as long as there are enough (as the official JAX code does it).
    pub fn new(
        streams: &Streams,
        step: u64,
        shape: [usize; 4],
        times: &TimeSampler,
        label_dropout: f64,
    ) -> Self {
        let mut rng = streams.rng("label-dropout", step);
        Self {
            noise: streams.normal("noise", step, shape.iter().product()),
            times: times.draw(streams, step, shape[0]),
            dropped: if label_dropout > 0.0 {
                (0..shape[0]).filter(|_| open_unit(&mut rng) < label_dropout).count()
            } else {
                0
            },
            dropout: Some(Dropout::new(streams, step)),
            guidance: None,
        }
    }

    /// Rows `index`, `index + parts`, `index + 2·parts`, … of these draws.
    ///
    /// Rows with `r = t` and dropped labels stay in front, and every part gets its share of both.
    pub fn part(&self, index: usize, parts: usize) -> Self {
        let rows = self.times.t.len();
        let width = self.noise.len() / rows;
        let chosen =
            |values: &[f32]| -> Vec<f32> { values.iter().copied().skip(index).step_by(parts).collect() };
        let before = |end: usize| (index..end).step_by(parts).len();
        Self {
            noise: self.noise.chunks_exact(width).skip(index).step_by(parts).flatten().copied().collect(),
            times: Times {
                t: chosen(&self.times.t),
                r: chosen(&self.times.r),
                still: before(self.times.still),
            },
            dropped: before(self.dropped),
            dropout: self.dropout.map(|dropout| dropout.part(index, parts)),
            guidance: self.guidance.as_ref().map(|guidance| GuidanceDraws {
                omega: chosen(&guidance.omega),
                t_min: chosen(&guidance.t_min),
                t_max: chosen(&guidance.t_max),
            }),
        }
    }
}
