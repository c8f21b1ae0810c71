//! The MeanFlow step: `z_r = z_t − (t−r)·u(z_t, r, t)` (arXiv 2505.13447, equation 12). One step from 1 to 0 is 1 NFE.

use super::{Field, Method};
use crate::{Backbone, objective::Learns};
use burn::tensor::{Tensor, backend::Backend};

pub(super) struct MeanFlow;

impl Method for MeanFlow {
    const NAME: &'static str = "meanflow";
    const ABOUT: &'static str = "the average velocity, exact for any step if it is";
    const EVALUATIONS: usize = 1;

    fn samples(learns: Learns) -> bool {
        learns.has_average()
    }

    fn step<B: Backend, N: Backbone<B>>(
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        t: f64,
        r: f64,
        _fresh: &dyn Fn() -> Tensor<B, 4>,
    ) -> Tensor<B, 4> {
        z.clone() - field.average(z, r, t) * (t - r)
    }
}
