//! Euler's method on the flow ODE `dz/dt = v(z, t)`, backwards in time; order 1.

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
    z.clone() - velocity(net, z, t, condition) * (t - r)
}
