//! One update of the weights.

use crate::{
    config::Variant,
    ema,
    optimizer::{Optim, clip_global_norm},
    side_by_side,
};
use burn::{
    module::{AutodiffModule, Module},
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Int, Tensor, TensorData, backend::Backend},
};
use meanflow_core::{
    Streams,
    objective::{Batch, Draws, TrainBackend},
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
        let (mut grads, measured) = gradients(&self.net, variant, batch, draws, device);
        let norm = clip_global_norm(&self.net, &mut grads, variant.train.clip);
        self.net = self.optim.step(step, self.net, grads);

        let current = self.net.valid();
        self.averages = self
            .averages
            .into_iter()
            .zip(&variant.ema)
            .map(|(average, config)| ema::update(average, &current, config.profile.decay_at(step + 1)))
            .collect();

        let norm = norm.unwrap_or_else(|| Tensor::full([1], f32::NAN, device));
        let (before, head) = (measured.clone().narrow(0, 0, 4), measured.narrow(0, 4, 1));
        let measured = Tensor::cat(vec![before, norm, head], 0);
        (self, measured)
    }
}

/// The gradient of the mean loss of a batch, and what [`Measured`] says of it but for the norm, `[5]`.
///
/// With `train.microbatches` above 1, the batch is differentiated in parts, each on a tape of its own. A part's loss counts by
/// its rows, and the gradients are added in the order of the parts, so the sum is the gradient of the whole batch.
fn gradients<B: TrainBackend>(
    net: &Net<B>,
    variant: &Variant,
    batch: HostBatch,
    draws: Draws,
    device: &B::Device,
) -> (GradientsParams, Tensor<B::InnerBackend, 1>) {
    let parts = variant.train.microbatches.min(batch.shape[0]);
    let rows = batch.shape[0] as f64;
    let moved = draws.times.t.len() - draws.times.still;
    let numbers = (moved * batch.shape[1..].iter().product::<usize>()) as f64;
    let differentiate = |(net, batch, draws): (Net<B>, HostBatch, Draws)| {
        let share = batch.shape[0] as f64 / rows;
        let out = variant.objective.loss::<B, _>(&net, on_device(batch, device), &draws);
        let loss = out.loss * share;
        let dudt = match out.dudt {
            Some(dudt) => dudt.sum() / numbers,
            // Without moved rows in this part it adds nothing; without any in the batch there is no `du/dt`.
            None => Tensor::full([1], if moved == 0 { f32::NAN } else { 0.0 }, device),
        };
        let head = out.head.map_or_else(|| Tensor::full([1], f32::NAN, device), |head| head.mean() * share);
        let (squared, velocity) = (out.squared.mean() * share, out.velocity.mean() * share);
        let measured = vec![loss.clone().inner(), squared, velocity, dudt, head];
        (GradientsParams::from_grads(loss.backward(), &net), Tensor::cat(measured, 0))
    };
    let (grads, measured) = if parts == 1 {
        differentiate((net.clone(), batch, draws))
    } else {
        // A fork has the same weights as leaves of another tape.
        let items =
            (0..parts).map(|i| (net.clone().fork(device), batch.part(i, parts), draws.part(i, parts)));
        let mut sum = GradientsAccumulator::new();
        let mut measured = Tensor::zeros([5], device);
        for (grads, part) in side_by_side::map::<B, _, _>(device, items.collect(), differentiate) {
            sum.accumulate(net, grads);
            measured = measured + part;
        }
        (sum.grads(), measured)
    };
    let dudt = measured.clone().narrow(0, 3, 1).sqrt();
    let (before, head) = (measured.clone().narrow(0, 0, 3), measured.narrow(0, 4, 1));
    (grads, Tensor::cat(vec![before, dudt, head], 0))
}

/// A host batch on the device.
pub fn on_device<B: Backend>(batch: HostBatch, device: &B::Device) -> Batch<B> {
    let rows = batch.shape[0];
    Batch {
        x: Tensor::from_data(TensorData::new(batch.samples, batch.shape), device),
        labels: batch.labels.map(|labels| label_tensor(&labels, device)),
        augment: batch.augment.map(|values| {
            let numbers = values.len() / rows;
            Tensor::from_data(TensorData::new(values, [rows, numbers]), device)
        }),
    }
}

/// Classes as a tensor, `[rows]`.
pub fn label_tensor<B: Backend>(labels: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let values: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    Tensor::from_data(TensorData::new(values, [labels.len()]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{ParamVisitor, visit_parameters};
    use burn::{
        backend::{Autodiff, Flex},
        module::ParamId,
    };
    use meanflow_jvp::Jvp;

    type B = Jvp<Autodiff<Flex>>;

    fn experiment(microbatches: usize) -> Variant {
        let text = format!(
            "[data.two-moons]\npoints = 100\n[net.mlp]\nwidth = 16\ndepth = 2\n[objective.meanflow]\nshare = 0.4\n\
             [optimizer.adam]\nlr = 0.1\n[train]\nbatch = 11\nsteps = 1\nmicrobatches = {microbatches}\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.toml");
        std::fs::write(&file, text).expect("a writable folder");
        crate::config::Comparison::load(&file, &[]).expect("a valid experiment").variants.remove(0)
    }

    fn measure(microbatches: usize) -> (Vec<f32>, Vec<f32>) {
        let (variant, device, streams) = (experiment(microbatches), Default::default(), Streams::new(3));
        let shape = [11, 2, 1, 1];
        let net: Net<B> = variant.net.init([2, 1, 1], None, &streams, &device).expect("a network");
        let batch = HostBatch { samples: streams.normal("data", 0, 22), shape, labels: None, augment: None };
        // A fresh network outputs zero and so has no `du/dt`.
        let mut trainer = Trainer::new(net, &variant);
        for step in 0..3 {
            trainer = trainer.step(&experiment(1), step, batch.clone(), &device).0;
        }
        let net = trainer.net;
        let draws = variant.objective.draw(&streams, 0, shape);
        let (grads, measured) = gradients(&net, &variant, batch, draws, &device);
        let mut values = Vec::new();
        visit_parameters(&net, &mut Values { grads: &grads, values: &mut values });
        (values, measured.into_data().to_vec().expect("numbers"))
    }

    struct Values<'a> {
        grads: &'a GradientsParams,
        values: &'a mut Vec<f32>,
    }

    impl ParamVisitor<B> for Values<'_> {
        fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
            let grad = self.grads.get::<Flex, D>(id).expect("every parameter has a gradient");
            self.values.extend(grad.into_data().iter::<f32>());
        }
    }

    #[test]
    fn parts_add_up_to_the_gradient_of_the_batch() {
        let (whole, said) = measure(1);
        let largest = whole.iter().fold(0f32, |max, value| max.max(value.abs()));
        assert!(largest > 1e-3);
        for parts in [2, 3, 11] {
            let (values, measured) = measure(parts);
            for (a, b) in values.iter().zip(&whole) {
                assert!((a - b).abs() < 1e-5 * largest.max(1.0), "{a} is not {b} with {parts} parts");
            }
            // The last is the loss of a second head, which this network does not have.
            for (a, b) in measured.iter().zip(&said).take(4) {
                assert!(*b > 0.0 && (a / b - 1.0).abs() < 1e-4, "{a} is not {b} with {parts} parts");
            }
        }
    }
}
