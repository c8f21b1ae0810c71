//! The classical Runge–Kutta method; order 4, 4 NFE a step.

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
    let k1 = velocity(net, z.clone(), t, condition);
    let k2 = velocity(net, z.clone() - k1.clone() * (0.5 * h), t - 0.5 * h, condition);
    let k3 = velocity(net, z.clone() - k2.clone() * (0.5 * h), t - 0.5 * h, condition);
    let k4 = velocity(net, z.clone() - k3.clone() * h, r, condition);
    z - (k1 + (k2 + k3) * 2.0 + k4) * (h / 6.0)
}
