//! Conditional flow matching (arXiv 2210.02747): `L = E w·‖u(z_t, t, t) − (e − x)‖²`.

use super::{Batch, Draws, StepLoss, TrainBackbone, TrainBackend, condition, outer, trained};
use crate::{
    Condition, Streams,
    interpolant::{linear_path, squared_norm},
    precision::Precision,
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use burn::tensor::{Tensor, TensorData};

/// Settings of flow matching.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowMatchingConfig {
    /// Law of `t`.
    pub time: TimeLaw,
    /// Adaptive weight; `p = 0` is the plain squared error.
    pub weight: Weight,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
}

impl FlowMatchingConfig {
    /// All random numbers of `step`.
    pub fn draw(&self, streams: &Streams, step: u64, shape: [usize; 4]) -> Draws {
        let times = TimeSampler {
            t: self.time,
            r: self.time,
            pairing: Pairing::V1,
            share: 0.0,
            split: Split::Prefix,
        };
        Draws::new(streams, step, shape, &times, self.label_dropout)
    }

    /// The loss of `net` on `batch`.
    pub fn loss<B: TrainBackend, N: TrainBackbone<B>>(
        &self,
        net: &N,
        batch: Batch<B::InnerBackend>,
        draws: &Draws,
    ) -> StepLoss<B> {
        let (shape, device, precision) = (batch.x.dims(), batch.x.device(), batch.precision);
        let e = Tensor::from_data(TensorData::new(draws.noise.clone(), shape), &device);
        let t = Tensor::from_data(TensorData::new(draws.times.t.clone(), [shape[0]]), &device);
        let condition = trained(condition(&batch, net.classes()), net.classes(), draws);
        let path = linear_path(batch.x, e, t.clone());
        let u = still_rows(net, precision, path.z, t, condition);
        let squared = squared_norm(u - Tensor::from_inner(path.v));
        StepLoss {
            squared: squared.clone().inner(),
            velocity: squared.clone().inner(),
            dudt: None,
            head: None,
            loss: self.weight.loss(squared),
        }
    }
}

/// `u(z, t, t)` of each row: flow matching, and the rows of MeanFlow with `r = t`.
pub(super) fn still_rows<B: TrainBackend, N: TrainBackbone<B>>(
    net: &N,
    precision: Precision,
    z: Tensor<B::InnerBackend, 4>,
    t: Tensor<B::InnerBackend, 1>,
    condition: Condition<B::InnerBackend>,
) -> Tensor<B, 4> {
    let t = Tensor::from_inner(t);
    let (dtype, z) = (z.dtype(), precision.input(Tensor::from_inner(z)));
    precision.output(precision.cast(net).forward(z, t.clone(), t, &outer(condition)), dtype)
}
