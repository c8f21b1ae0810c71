//! The explicit midpoint method: the slope at half the step; order 2, 2 NFE a step.

use super::velocity;
use crate::{Backbone, Condition};
use burn::tensor::{Tensor, backend::Backend};

pub(super) fn step<B: Backend, N: Backbone<B>>(
    net: &N,
    z: Tensor<B, 4>,
    t: f64,
    r: f64,
    condition: &Condition<B>,
) -> Tensor<B, 4> {
    let h = t - r;
    let middle = z.clone() - velocity(net, z.clone(), t, condition) * (0.5 * h);
    z - velocity(net, middle, t - 0.5 * h, condition) * h
}
