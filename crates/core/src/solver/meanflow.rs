//! The MeanFlow step: `z_r = z_t − (t−r)·u(z_t, r, t)` (arXiv 2505.13447, equation 12). One step from 1 to 0 is 1 NFE.

use super::average_velocity;
use crate::{Backbone, Condition};
use burn::tensor::{Tensor, backend::Backend};

pub(super) fn step<B: Backend, N: Backbone<B>>(
    net: &N,
    z: Tensor<B, 4>,
    t: f64,
    r: f64,
    condition: &Condition<B>,
) -> Tensor<B, 4> {
    z.clone() - average_velocity(net, z, r, t, condition) * (t - r)
}
