//! What the consistency objectives share: two noise levels of one sample.

use super::{
    At, Batch, Distillation, Rows, TrainBackend, every_nth,
    host::{column, samples},
    labels::{condition, outer},
};
use crate::{
    Backbone, Condition, Dropout,
    flow::Edm,
    interpolant::{per_row, squared_norm},
};
use burn::tensor::{Tensor, backend::Backend};

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
    /// Those of a step for samples of `shape`, with the two levels of each row.
    pub fn new(at: &At, shape: [usize; 4], levels: impl Iterator<Item = [f64; 2]>) -> Self {
        let (sigma, target) = levels.map(|[sigma, target]| (sigma as f32, target as f32)).unzip();
        Self {
            noise: at.streams.normal("noise", at.step, shape.iter().product()),
            sigma,
            target,
            dropout: Some(Dropout::new(at.streams, at.step)),
        }
    }

    /// Noise and levels as tensors, for samples of `shape`.
    pub fn levels<B: Backend>(&self, shape: [usize; 4], device: &B::Device) -> Levels<B> {
        let column = |values: &[f32]| column(values, device);
        Levels {
            e: samples(&self.noise, shape, device),
            sigma: column(&self.sigma),
            target: column(&self.target),
        }
    }
}

/// Noise and both levels of each row, in any precision.
pub struct Levels<B: Backend> {
    /// Noise.
    pub e: Tensor<B, 4>,
    /// The level that is trained, `[batch]`.
    pub sigma: Tensor<B, 1>,
    /// The level of the target, `[batch]`.
    pub target: Tensor<B, 1>,
}

impl<B: Backend> Levels<B> {
    /// `x + σ_t·e` and `x + σ_r·e` of both levels.
    pub fn noisy(&self, x: &Tensor<B, 4>) -> [Tensor<B, 4>; 2] {
        [&self.sigma, &self.target].map(|sigma| x.clone() + self.e.clone() * per_row(sigma.clone()))
    }
}

/// `D(x_σ, σ)` of the points of both levels: trained, and as the target without gradient.
pub fn both_levels<B, N, F>(
    edm: Edm,
    online: &N,
    target: &F,
    [far, near]: [Tensor<B::InnerBackend, 4>; 2],
    levels: &Levels<B::InnerBackend>,
    condition: &Condition<B::InnerBackend>,
) -> (Tensor<B, 4>, Tensor<B::InnerBackend, 4>)
where
    B: TrainBackend,
    N: Backbone<B>,
    F: Backbone<B::InnerBackend>,
{
    let clean = edm.denoise(
        online,
        Tensor::from_inner(far),
        Tensor::from_inner(levels.sigma.clone()),
        &outer(condition.clone()),
    );
    (clean, edm.denoise(target, near, levels.target.clone(), condition))
}

/// Both levels of a batch.
pub struct Pair<B: TrainBackend> {
    /// `D` at the level that is trained.
    pub clean: Tensor<B, 4>,
    /// The target, without gradient.
    pub target: Tensor<B::InnerBackend, 4>,
    /// Their squared distance, `[batch]`.
    pub squared: Tensor<B::InnerBackend, 1>,
    /// The levels.
    pub levels: Levels<B::InnerBackend>,
}

/// [`both_levels`] of a step; `flow` is a teacher that leads from one level to the other in place of the sample's own noise.
pub fn pair<B, N, F>(
    edm: Edm,
    (online, target): (&N, &F),
    flow: Option<(&Distillation, &F)>,
    batch: &Batch<B::InnerBackend>,
    draws: &LevelDraws,
) -> Pair<B>
where
    B: TrainBackend,
    N: Backbone<B>,
    F: Backbone<B::InnerBackend>,
{
    let levels = draws.levels(batch.x.dims(), &batch.x.device());
    let plain = condition(batch, online.classes());
    let [far, own] = levels.noisy(&batch.x);
    let near = match flow {
        Some((distillation, teacher)) => distillation.step(teacher, far.clone(), &levels, draws, &plain),
        None => own,
    };
    let condition = Condition { dropout: draws.dropout, ..plain };
    let (clean, target) = both_levels::<B, N, F>(edm, online, target, [far, near], &levels, &condition);
    let squared = squared_norm(clean.clone().inner() - target.clone());
    Pair { clean, target, squared, levels }
}
