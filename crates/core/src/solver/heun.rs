//! Heun's trapezoidal method: Euler predictor, then the mean of the two end slopes; order 2, 2 NFE a step.

use super::{Field, Method};
use crate::{Backbone, objective::Learns};
use burn::tensor::{Tensor, backend::Backend};

pub(super) struct Heun;

impl Method for Heun {
    const NAME: &'static str = "heun";
    const ABOUT: &'static str = "Heun's trapezoidal method, order 2";
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
        let start = field.velocity(z.clone(), t);
        let end = field.velocity(z.clone() - start.clone() * h, r);
        z - (start + end) * (0.5 * h)
    }
}
