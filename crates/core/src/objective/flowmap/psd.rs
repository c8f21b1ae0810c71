//! Progressive self-distillation: two maps in a row are one.
//!
//! `R = ‖u(z, r, t) − sg[(1−h)·u(z, m, t) + h·u(z_m, r, m)]‖²` with `m = h·t + (1−h)·r` and `z_m = z − (t−m)·u(z, m, t)`: the way to `m`
//! is the share `1−h` of the whole. With `λ = 1−h` this is also the identity of SplitMeanFlow (arXiv 2507.16884).

use super::{Moved, Residual, Taught};
use crate::{
    Backbone,
    interpolant::{per_row, squared_norm},
    objective::{Cost, Reference, ReferenceError, TrainBackend, outer},
};
use burn::tensor::Tensor;
use meanflow_jvp::Untaped;
use meanflow_settings::{Choice, Reader};

/// Where the way is cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Anywhere, `h ~ U(0, 1)`.
    Uniform,
    /// Half way.
    Midpoint,
}

impl Split {
    fn read(r: &mut Reader) -> Self {
        r.get("split", Choice(vec![("uniform", Self::Uniform), ("midpoint", Self::Midpoint)]), Self::Uniform)
    }

    fn of(reference: &Reference) -> Result<Self, ReferenceError> {
        match (reference.word("stopgrad_type")?, reference.word("psd_type")?) {
            ("convex", "uniform") => Ok(Self::Uniform),
            ("convex", "midpoint") => Ok(Self::Midpoint),
            _ => Err(ReferenceError::Constant("psd_type".to_owned())),
        }
    }

    fn beyond(self, u: f64) -> f64 {
        match self {
            Self::Uniform => u,
            Self::Midpoint => 0.5,
        }
    }
}

/// The residual of progressive self-distillation, under the name and with the defaults of one of its two papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progressive<const AVERAGES: bool> {
    /// Where the way is cut in two.
    pub split: Split,
}

/// Of flow maps (arXiv 2505.18825).
pub type Psd = Progressive<false>;

/// Of average velocities: SplitMeanFlow (arXiv 2507.16884), more of whose rows learn the velocity.
pub type SplitMeanflow = Progressive<true>;

impl<const AVERAGES: bool> Residual for Progressive<AVERAGES> {
    const NAME: &'static str = if AVERAGES { "split-meanflow" } else { "flowmap-psd" };
    const ABOUT: &'static str = if AVERAGES {
        "SplitMeanFlow: averages of two intervals make that of both (arXiv 2507.16884)"
    } else {
        "flow map, progressive: two maps in a row are one (arXiv 2505.18825)"
    };
    const SHARE: f64 = if AVERAGES { 0.2 } else { 0.25 };
    const LEARNED_WEIGHT: bool = !AVERAGES;
    type Tangents = Untaped;

    fn read(r: &mut Reader) -> Self {
        Self { split: Split::read(r) }
    }

    fn of(reference: &Reference) -> Result<Self, ReferenceError> {
        Ok(Self { split: Split::of(reference)? })
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(2.0)
    }

    fn split(&self, u: f64) -> Option<f64> {
        Some(self.split.beyond(u))
    }

    fn rows<B, N, F>(&self, nets: &Taught<N, F>, at: Moved<B::InnerBackend>) -> Tensor<B, 1>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Moved { z, r, t, beyond, condition } = at;
        let h = beyond.expect("a point between");
        let middle = t.clone() * h.clone() + r.clone() * (-h.clone() + 1.0);
        let early = nets.teacher.forward(z.clone(), middle.clone(), t.clone(), &condition);
        let near = z.clone() - early.clone() * per_row(t.clone() - middle.clone());
        let late = nets.teacher.forward(near, r.clone(), middle, &condition);
        let h = per_row(h);
        let target = early * (-h.clone() + 1.0) + late * h;
        let lift = Tensor::<B, 1>::from_inner;
        let u = nets.online.forward(Tensor::from_inner(z), lift(r), lift(t), &outer(condition));
        squared_norm(u - Tensor::from_inner(target))
    }
}
