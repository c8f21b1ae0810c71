//! Euler's method on the flow ODE `dz/dt = v(z, t)`, backwards in time; order 1.

use super::{Field, Method};
use crate::{Backbone, objective::Learns};
use burn::tensor::{Tensor, backend::Backend};

pub(super) struct Euler;

impl Method for Euler {
    const NAME: &'static str = "euler";
    const ABOUT: &'static str = "Euler on the instantaneous velocity, order 1";
    const EVALUATIONS: usize = 1;

    fn samples(learns: Learns) -> bool {
        learns.has_velocity()
    }

    fn step<B: Backend, N: Backbone<B>>(
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        t: f64,
        r: f64,
        _fresh: &dyn Fn() -> Tensor<B, 4>,
    ) -> Tensor<B, 4> {
        z.clone() - field.velocity(z, t) * (t - r)
    }
}
