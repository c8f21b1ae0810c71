//! A step of a frozen teacher's flow from one noise level to a smaller one (consistency distillation, CD, arXiv 2303.01469, algorithm 2).
//!
//! The teacher predicts velocities of the straight path. Of `x_σ = x + σ·e`, which is `z/(1−t)` at house time `t = σ/(1+σ)`, it makes out
//! `v = e − x`, so that the flow has the slope `dx_σ/dσ = e = (x_σ + v)/(1+σ)`.

use super::{
    About, LevelDraws,
    consistency::Levels,
    residual::{Extrapolation, read_teacher},
};
use crate::{Backbone, Condition, interpolant::per_row};
use burn::tensor::{Tensor, backend::Backend};
use meanflow_settings::{Choice, Reader};
use std::path::PathBuf;

/// A teacher whose flow takes the place of a sample's own path.
#[derive(Clone, Debug, PartialEq)]
pub struct Distillation {
    /// The run or file of the teacher.
    pub teacher: PathBuf,
    /// The step.
    pub solver: LevelStep,
    /// Guidance of its velocity; times are those of the house.
    pub guidance: Option<Extrapolation>,
}

/// How a step from one level to the next is made, with the slopes `d` of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelStep {
    /// `x_r = x_t + (σ_r − σ_t)·d(x_t, σ_t)`: one evaluation of the teacher.
    Euler,
    /// `x_r = x_t + (σ_r − σ_t)·[d(x_t, σ_t) + d(x_E, σ_r)]/2` with Euler's `x_E`: two.
    Heun,
}

impl LevelStep {
    const ALL: [(&'static str, Self); 2] = [("heun", Self::Heun), ("euler", Self::Euler)];

    /// Evaluations of the teacher.
    pub fn evaluations(self) -> usize {
        match self {
            Self::Euler => 1,
            Self::Heun => 2,
        }
    }
}

impl Distillation {
    /// The keys `teacher`, `solver` and `guidance`.
    pub fn read(r: &mut Reader, about: &About) -> Option<Self> {
        let teacher = read_teacher(r);
        let solver = r.get("solver", Choice(LevelStep::ALL.to_vec()), LevelStep::Heun);
        let guidance = Extrapolation::of_teacher(r, about, 2.0, teacher.is_some());
        teacher.map(|teacher| Self { teacher, solver, guidance })
    }

    /// The point at the smaller level of each row, from `x` at the larger one; `levels` are those of `draws`.
    pub fn step<B: Backend, F: Backbone<B>>(
        &self,
        teacher: &F,
        x: Tensor<B, 4>,
        levels: &Levels<B>,
        draws: &LevelDraws,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let slope = |x: &Tensor<B, 4>, level: &Tensor<B, 1>, sigma: &[f32]| {
            let total = level.clone() + 1.0;
            let (t, scale) = (level.clone() / total.clone(), per_row(total));
            let z = x.clone() / scale.clone();
            let mut v = teacher.forward(z.clone(), t.clone(), t.clone(), condition);
            if let Some(guidance) = self.guidance {
                let times: Vec<f64> = sigma.iter().map(|&s| f64::from(s) / (1.0 + f64::from(s))).collect();
                v = guidance.of(teacher, (z, v), t, &times, condition);
            }
            (x.clone() + v) / scale
        };
        let gap = per_row(levels.target.clone() - levels.sigma.clone());
        let first = slope(&x, &levels.sigma, &draws.sigma);
        let euler = x.clone() + first.clone() * gap.clone();
        match self.solver {
            LevelStep::Euler => euler,
            LevelStep::Heun => x + (first + slope(&euler, &levels.target, &draws.target)) * gap * 0.5,
        }
    }
}
