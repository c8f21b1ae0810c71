//! Heun's trapezoidal method: Euler predictor, then the mean of the two end slopes; order 2, 2 NFE a step.

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
    let start = velocity(net, z.clone(), t, condition);
    let end = velocity(net, z.clone() - start.clone() * h, r, condition);
    z - (start + end) * (0.5 * h)
}
