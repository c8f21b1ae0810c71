//! Lagrangian self-distillation: the end of the map moves with the velocity there.
//!
//! `R = ‖∂_r z_r − sg u(sg z_r, r, r)‖²` with `z_r = z − (t−r)·u(z, r, t)` and `∂_r z_r = u − (t−r)·∂_r u`. The gradient goes through `∂_r u`.

use super::{Moved, Residual, Taught};
use crate::{
    Backbone,
    interpolant::{per_row, squared_norm},
    objective::{Cost, Reference, ReferenceError, TrainBackend, derivative::tangent, outer},
};
use burn::tensor::Tensor;
use meanflow_jvp::{Dual, Taped};
use meanflow_settings::Reader;

/// The Lagrangian residual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lsd;

impl Residual for Lsd {
    const NAME: &'static str = "flowmap-lsd";
    const ABOUT: &'static str = "flow map, Lagrangian: its end moves with the flow (arXiv 2505.18825)";
    const SHARE: f64 = 0.25;
    const LEARNED_WEIGHT: bool = true;
    type Tangents = Taped;

    fn read(_r: &mut Reader) -> Self {
        Self
    }

    fn of(reference: &Reference) -> Result<Self, ReferenceError> {
        match reference.word("stopgrad_type")? {
            "convex" => Ok(Self),
            _ => Err(ReferenceError::Constant("stopgrad_type".to_owned())),
        }
    }

    fn cost(&self) -> Cost {
        Cost { passes: 1.0, dual: 1.0, taped: true, plain: 1.0 }
    }

    fn rows<B, N, F>(&self, nets: &Taught<N, F>, at: Moved<B::InnerBackend>) -> Tensor<B, 1>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Moved { z, r, t, condition, .. } = at;
        let u = nets.online.forward(
            Tensor::from_inner(z.clone()),
            Tensor::<B, 1>::from_inner(r.clone()).with_tangent(tangent::<B, 1>(r.ones_like())),
            Tensor::from_inner(t.clone()),
            &outer(condition.clone()),
        );
        let (u, slope) = u.split_tangent();
        let slope = slope.map_or_else(|| u.zeros_like().detach(), Tensor::from_value);
        let h = per_row(t - r.clone());
        let end = z - u.clone().inner() * h.clone();
        let target = nets.teacher.forward(end, r.clone(), r, &condition);
        let slope = u - slope * Tensor::from_inner(h);
        squared_norm(slope - Tensor::from_inner(target))
    }
}
