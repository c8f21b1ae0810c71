//! Eulerian self-distillation: the map does not change as its start moves with the flow.
//!
//! `R = ‖∂_t z_r + ∇z_r·b‖²` with `z_r = z − (t−r)·u(z, r, t)`, `b = sg u(z, t, t)`, `∂_t z_r = −u − (t−r)·∂_t u` and
//! `∇z_r·b = b − (t−r)·∇u·b`. The gradient goes through `∂_t u`; through `∇u·b` only where that is asked for.

use super::{Moved, Residual, Taught};
use crate::{
    Backbone,
    interpolant::{per_row, squared_norm},
    objective::{
        Cost, Reference, ReferenceError, TrainBackend,
        derivative::{off_tape, tangent},
        outer,
    },
};
use burn::tensor::Tensor;
use meanflow_jvp::{Dual, Taped};
use meanflow_settings::{Choice, Reader};

/// Whether the derivative in space is learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spatial {
    /// It is a constant of the gradient.
    Stopped,
    /// The gradient goes through it.
    Learned,
}

/// The Eulerian residual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Esd {
    /// Whether the derivative in space is learned from.
    pub spatial: Spatial,
}

impl Residual for Esd {
    const NAME: &'static str = "flowmap-esd";
    const ABOUT: &'static str =
        "flow map, Eulerian: it stays as its start moves with the flow (arXiv 2505.18825)";
    const SHARE: f64 = 0.25;
    const LEARNED_WEIGHT: bool = true;
    type Tangents = Taped;

    fn read(r: &mut Reader) -> Self {
        let choices = vec![("stopped", Spatial::Stopped), ("learned", Spatial::Learned)];
        Self { spatial: r.get("spatial", Choice(choices), Spatial::Stopped) }
    }

    fn of(reference: &Reference) -> Result<Self, ReferenceError> {
        let spatial = match reference.word("stopgrad_type")? {
            "full" => Spatial::Stopped,
            "convex" => Spatial::Learned,
            _ => return Err(ReferenceError::Constant("stopgrad_type".to_owned())),
        };
        Ok(Self { spatial })
    }

    fn cost(&self) -> Cost {
        Cost { passes: 2.0, dual: 2.0, taped: true, plain: 1.0 }
    }

    fn rows<B, N, F>(&self, nets: &Taught<N, F>, at: Moved<B::InnerBackend>) -> Tensor<B, 1>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Moved { z, r, t, condition, .. } = at;
        let b = nets.teacher.forward(z.clone(), t.clone(), t.clone(), &condition);
        let condition = outer(condition);
        let (lift, point) = (Tensor::<B, 1>::from_inner, Tensor::<B, 4>::from_inner(z));
        let (along, h) = (tangent::<B, 4>(b.clone()), per_row(t.clone() - r.clone()));
        let still = lift(t.clone());
        let moving = still.clone().with_tangent(tangent::<B, 1>(t.ones_like()));
        let derivative = |u: Tensor<B, 4>| {
            let (u, du) = u.split_tangent();
            let du = du.map_or_else(|| u.zeros_like().detach(), Tensor::from_value);
            (u, du)
        };
        let (u, slope, carried) = match self.spatial {
            Spatial::Learned => {
                let point = point.with_tangent(along);
                let (u, slope) = derivative(nets.online.forward(point, lift(r), moving, &condition));
                (u, slope, b)
            }
            Spatial::Stopped => {
                let u = nets.online.forward(point.clone(), lift(r.clone()), moving, &condition);
                let (u, slope) = derivative(u);
                let carried = nets.twin.forward(point.with_tangent(along), lift(r), still, &condition);
                let carried = match carried.split_tangent().1 {
                    Some(du) => b - off_tape::<B, 4>(du) * h.clone(),
                    None => b,
                };
                (u, slope, carried)
            }
        };
        squared_norm(Tensor::from_inner(carried) - u - slope * Tensor::from_inner(h))
    }
}
