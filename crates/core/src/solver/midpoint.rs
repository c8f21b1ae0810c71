//! The explicit midpoint method: the slope at half the step; order 2, 2 NFE a step.

use super::{Field, Method};
use crate::{Backbone, objective::Learns};
use burn::tensor::{Tensor, backend::Backend};

pub(super) struct Midpoint;

impl Method for Midpoint {
    const NAME: &'static str = "midpoint";
    const ABOUT: &'static str = "explicit midpoint, order 2";
    const EVALUATIONS: usize = 2;

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
        let middle = z.clone() - field.velocity(z.clone(), t) * (0.5 * h);
        z - field.velocity(middle, t - 0.5 * h) * h
    }
}
