//! The random numbers of one training step, drawn on the host.

use super::{At, Rows, every_nth};
use crate::{
    Dropout,
    random::open_unit,
    time::{Split, TimeSampler, Times},
};

/// Everything random in one evaluation of an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// Noise `e`, row-major in the shape of the batch.
    pub noise: Vec<f32>,
    /// Times, rows with `r = t` first.
    pub times: Times,
    /// Whether a row loses its label, `[batch]`.
    pub dropped: Vec<bool>,
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
    /// Noise, times and label dropout of a step.
    ///
    /// The number of dropped labels is Binomial(batch, `label_dropout`). With [`Split::Prefix`] they are the first rows, those
    /// with `r = t` as long as there are enough (as the official JAX code does it); with [`Split::Random`] each row by itself,
    /// unless all rows have `r = t`, where nothing is split.
    pub fn new(at: &At, shape: [usize; 4], times: &TimeSampler, label_dropout: f64) -> Self {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let mut rng = streams.rng("label-dropout", step);
        let mut dropped = vec![false; rows];
        if label_dropout > 0.0 {
            dropped.fill_with(|| open_unit(&mut rng) < label_dropout);
        }
        if times.split == Split::Prefix || times.share == 0.0 {
            // The dropped ones first.
            dropped.sort_by_key(|dropped| !dropped);
        }
        Self {
            noise: streams.normal("noise", step, shape.iter().product()),
            times: times.draw(streams, step, rows),
            dropped,
            dropout: Some(Dropout::new(streams, step)),
            guidance: None,
        }
    }
}

impl Rows for Draws {
    /// Rows with `r = t` and, where they lead, dropped labels stay in front, and every part gets its share of both.
    fn part(&self, index: usize, parts: usize) -> Self {
        let chosen = |values: &[f32]| every_nth(values, 1, index, parts);
        Self {
            noise: every_nth(&self.noise, self.noise.len() / self.times.t.len(), index, parts),
            times: Times {
                t: chosen(&self.times.t),
                r: chosen(&self.times.r),
                still: (index..self.times.still).step_by(parts).len(),
            },
            dropped: every_nth(&self.dropped, 1, index, parts),
            dropout: self.dropout.map(|dropout| dropout.part(index, parts)),
            guidance: self.guidance.as_ref().map(|guidance| GuidanceDraws {
                omega: chosen(&guidance.omega),
                t_min: chosen(&guidance.t_min),
                t_max: chosen(&guidance.t_max),
            }),
        }
    }
}
