//! The classical Runge–Kutta method; order 4, 4 NFE a step.

use super::{Field, Method};
use crate::{Backbone, objective::Learns};
use burn::tensor::{Tensor, backend::Backend};

pub(super) struct Rk4;

impl Method for Rk4 {
    const NAME: &'static str = "rk4";
    const ABOUT: &'static str = "classical Runge–Kutta, order 4";
    const EVALUATIONS: usize = 4;

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
        let h = t - r;
        let k1 = field.velocity(z.clone(), t);
        let k2 = field.velocity(z.clone() - k1.clone() * (0.5 * h), t - 0.5 * h);
        let k3 = field.velocity(z.clone() - k2.clone() * (0.5 * h), t - 0.5 * h);
        let k4 = field.velocity(z.clone() - k3.clone() * h, r);
        z - (k1 + (k2 + k3) * 2.0 + k4) * (h / 6.0)
    }
}
