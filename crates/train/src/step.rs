//! One update of the weights.

use crate::{
    config::Variant,
    ema,
    optimizer::{Optim, clip_global_norm, learning_rate},
};
use burn::{
    module::AutodiffModule,
    optim::GradientsParams,
    tensor::{Int, Tensor, TensorData, backend::Backend},
};
use meanflow_core::{
    Streams,
    objective::{Batch, TrainBackend},
};
use meanflow_data::HostBatch;
use meanflow_nets::Net;

/// A network in training.
pub struct Trainer<B: TrainBackend> {
    /// The weights.
    pub net: Net<B>,
    /// Its averages, in the order of the experiment file.
    pub averages: Vec<Net<B::InnerBackend>>,
    /// The optimizer with its moments.
    pub optim: Optim<B, Net<B>>,
    pub(crate) streams: Streams,
}

/// What one update measured, still on the device: loss, mean `‖u − u_tgt‖²`, mean `‖u − (e − x)‖²`, root mean square of
/// `du/dt`, gradient norm before the clip, mean squared error of the auxiliary head; NaN in place of what was not computed.
/// `[6]`.
pub type Measured<B> = Tensor<B, 1>;

impl<B: TrainBackend> Trainer<B> {
    /// A trainer around `net` with fresh averages and optimizer.
    pub fn new(net: Net<B>, variant: &Variant) -> Self {
        Self {
            averages: variant.ema.iter().map(|_| net.valid()).collect(),
            net,
            optim: Optim::new(&variant.optimizer),
            streams: Streams::new(variant.seed),
        }
    }

    /// Update number `step` (from 0).
    pub fn step(
        mut self,
        variant: &Variant,
        step: u64,
        batch: HostBatch,
        device: &B::Device,
    ) -> (Self, Measured<B::InnerBackend>) {
        let draws = variant.objective.draw(&self.streams, step, batch.shape);
        let elements = (batch.shape[1] * batch.shape[2] * batch.shape[3]) as f64;
        let out = variant.objective.loss::<B, _>(&self.net, on_device(batch, device), &draws);

        let mut grads = GradientsParams::from_grads(out.loss.backward(), &self.net);
        let norm = clip_global_norm(&self.net, &mut grads, variant.train.clip);
        let adam = variant.optimizer.adam();
        let lr = learning_rate(adam.lr, adam.warmup, step);
        self.net = self.optim.step(lr, self.net, grads);

        let current = self.net.valid();
        self.averages = self
            .averages
            .into_iter()
            .zip(&variant.ema)
            .map(|(average, config)| {
                ema::update(average, &current, ema::decay_at(config.decay, config.ramp, step + 1))
            })
            .collect();

        let nan = || Tensor::<B::InnerBackend, 1>::full([1], f32::NAN, device);
        let measured = Tensor::cat(
            vec![
                out.loss.inner(),
                out.squared.mean(),
                out.velocity.mean(),
                out.dudt.map_or_else(nan, |dudt| (dudt.mean() / elements).sqrt()),
                norm.unwrap_or_else(nan),
                out.head.map_or_else(nan, Tensor::mean),
            ],
            0,
        );
        (self, measured)
    }
}

/// A host batch on the device.
pub fn on_device<B: Backend>(batch: HostBatch, device: &B::Device) -> Batch<B> {
    Batch {
        x: Tensor::from_data(TensorData::new(batch.samples, batch.shape), device),
        labels: batch.labels.map(|labels| label_tensor(&labels, device)),
        augment: None,
    }
}

/// Classes as a tensor, `[rows]`.
pub fn label_tensor<B: Backend>(labels: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let values: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    Tensor::from_data(TensorData::new(values, [labels.len()]), device)
}
