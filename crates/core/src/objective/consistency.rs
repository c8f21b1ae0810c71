//! What the consistency objectives share: two noise levels of one sample, and the grid of levels.

use super::{Rows, TrainBackend, every_nth, labels::outer};
use crate::{
    Backbone, Condition, Dropout,
    flow::{Edm, SIGMA_MAX},
    interpolant::per_row,
};
use burn::tensor::{Tensor, TensorData, backend::Backend};

/// The random numbers of a step of a consistency objective.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelDraws {
    /// Noise `e`, row-major.
    pub noise: Vec<f32>,
    /// Noise level of each row, `[batch]`.
    pub sigma: Vec<f32>,
    /// Noise level of the target, `[batch]`; 0 for the clean sample.
    pub target: Vec<f32>,
    /// Key of the masks of a network with dropout, shared by both passes.
    pub dropout: Option<Dropout>,
}

impl Rows for LevelDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        Self {
            noise: every_nth(&self.noise, self.noise.len() / self.sigma.len(), index, parts),
            sigma: every_nth(&self.sigma, 1, index, parts),
            target: every_nth(&self.target, 1, index, parts),
            dropout: self.dropout.map(|dropout| dropout.part(index, parts)),
        }
    }
}

impl LevelDraws {
    /// Noise and levels as tensors, for samples of `shape`.
    pub(super) fn levels<B: Backend>(&self, shape: [usize; 4], device: &B::Device) -> Levels<B> {
        let column = |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [shape[0]]), device);
        Levels {
            e: Tensor::from_data(TensorData::new(self.noise.clone(), shape), device),
            sigma: column(&self.sigma),
            target: column(&self.target),
        }
    }
}

/// Noise and both levels of each row, in any precision.
pub(super) struct Levels<B: Backend> {
    /// Noise.
    pub e: Tensor<B, 4>,
    /// The level that is trained, `[batch]`.
    pub sigma: Tensor<B, 1>,
    /// The level of the target, `[batch]`.
    pub target: Tensor<B, 1>,
}

/// `D(x + σ·e, σ)` of both levels of a sample: trained, and as the target without gradient.
pub(super) fn both_levels<B, N, F>(
    edm: Edm,
    online: &N,
    teacher: &F,
    x: &Tensor<B::InnerBackend, 4>,
    levels: &Levels<B::InnerBackend>,
    condition: &Condition<B::InnerBackend>,
) -> (Tensor<B, 4>, Tensor<B::InnerBackend, 4>)
where
    B: TrainBackend,
    N: Backbone<B>,
    F: Backbone<B::InnerBackend>,
{
    let Levels { e, sigma, target } = levels;
    let noisy = |sigma: &Tensor<B::InnerBackend, 1>| x.clone() + e.clone() * per_row(sigma.clone());
    let clean = edm.denoise(
        online,
        Tensor::from_inner(noisy(sigma)),
        Tensor::from_inner(sigma.clone()),
        &outer(condition.clone()),
    );
    (clean, edm.denoise(teacher, noisy(target), target.clone(), condition))
}

/// Noise levels from `min` to `max`, evenly spaced in `σ^(1/ρ)` (arXiv 2206.00364).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LevelGrid {
    pub min: f64,
    pub max: f64,
    pub rho: f64,
}

impl LevelGrid {
    /// That of consistency models.
    pub const PUBLISHED: Self = Self { min: 0.002, max: SIGMA_MAX, rho: 7.0 };

    /// Level number `index` of `count`, ascending from 0.
    pub fn level(&self, index: usize, count: usize) -> f64 {
        let [low, high] = [self.min, self.max].map(|sigma| sigma.powf(1.0 / self.rho));
        (low + index as f64 / (count - 1) as f64 * (high - low)).powf(self.rho)
    }
}
