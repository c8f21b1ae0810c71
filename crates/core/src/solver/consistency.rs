//! Consistency sampling (arXiv 2303.01469, algorithm 1): to data in one evaluation, then fresh noise up to the next time.
//!
//! `x̂ = z − t·u(z, 0, t)`, `z_r = (1−r)·x̂ + r·e` with a new `e`.

use super::{Field, Method};
use crate::{Backbone, objective::Learns};
use burn::tensor::{Tensor, backend::Backend};

pub(super) struct Consistency;

impl Method for Consistency {
    const NAME: &'static str = "consistency";
    const ABOUT: &'static str = "to data and back with fresh noise";
    const EVALUATIONS: usize = 1;

    fn samples(learns: Learns) -> bool {
        learns.has_map_to_data()
    }

    fn step<B: Backend, N: Backbone<B>>(
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        t: f64,
        r: f64,
        fresh: &dyn Fn() -> Tensor<B, 4>,
    ) -> Tensor<B, 4> {
        let clean = z.clone() - field.average(z, 0.0, t) * t;
        if r == 0.0 { clean } else { clean * (1.0 - r) + fresh() * r }
    }
}
