//! Training and test of a classifier.

use super::{Classifier, look};
use crate::{ScoreError, batch::on_device};
use burn::{
    module::{AutodiffModule, Module},
    optim::{AdamConfig, GradientsAccumulator, GradientsParams, Optimizer},
    tensor::{Tensor, activation::log_softmax, backend::AutodiffBackend},
};
use meanflow_core::Streams;
use meanflow_data::{Cursor, Dataset, HostBatch, Loader, LoaderConfig, held_out::HeldOut, read_rows};
use meanflow_generator::side_by_side;
use meanflow_nets::Classifier as Net;
use meanflow_state::parameters;
use std::sync::Arc;

/// How a classifier is trained: Adam, the learning rate falling linearly to zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Passes through the training pictures.
    pub epochs: usize,
    /// Seed of weights, order and flips.
    pub seed: u64,
    /// Pictures of a step.
    pub batch: usize,
    /// The first learning rate.
    pub lr: f64,
    /// Mirror half of the pictures left to right, anew each epoch.
    pub flip: bool,
}

impl Default for Training {
    fn default() -> Self {
        Self { epochs: 10, seed: 0, batch: 64, lr: 3e-3, flip: false }
    }
}

/// Share that is set aside for the test where the data sets nothing aside itself.
const TEST: f64 = 0.1;

/// Parts of a batch that are differentiated next to each other. Fixed, so that results do not depend on the machine.
const PARTS: usize = 2;

/// Trains on the samples of `data` and tests on those that it sets aside. If it sets none aside, a tenth of it is left out of
/// training for that, the same one each time. `progress` is called with the steps done, all steps, and the loss of the batch.
///
/// # Errors
/// [`ScoreError::Request`] for data that is no pictures, has no labels, or is too small to test on, and for settings of zero;
/// [`ScoreError::Diverged`]; those of reading the data.
pub fn train<B: AutodiffBackend>(
    data: Arc<dyn Dataset>,
    training: &Training,
    device: &B::Device,
    mut progress: impl FnMut(u64, u64, f32),
) -> Result<Classifier, ScoreError> {
    let request = |message: String| Err(ScoreError::Request(message));
    let shape = data.shape();
    let Some(classes) = data.classes() else {
        return request(format!("{} has no labels, and a classifier learns from labels", data.name()));
    };
    if shape[1] * shape[2] == 1 {
        return request(format!("{} holds points, and the classifier looks at pictures", data.name()));
    }
    if training.epochs == 0 || training.batch == 0 {
        return request("a classifier needs at least one epoch and one picture a step".to_owned());
    }
    let data = if data.set_aside().is_some() { data } else { HeldOut::split(data, TEST)? };
    let Some(test) = data.set_aside() else {
        return request(format!("{} has {} samples, too few to test a classifier", data.name(), data.len()));
    };
    let trained = data.len();
    let mut net: Net<B> = Net::init(shape[0], classes, &Streams::new(training.seed), device);
    let mut adam = AdamConfig::new().init();
    let config = LoaderConfig {
        batch: training.batch,
        seed: training.seed,
        flip: training.flip,
        augment: None,
        prefetch: 2,
    };
    let steps = (training.epochs * trained).div_ceil(training.batch) as u64;
    let digest = data.digest();
    let mut loader = Loader::new(data, config, Cursor::default())?;
    for step in 0..steps {
        let (loss, grads) = gradients(&net, &loader.next_batch()?, device);
        if !loss.is_finite() {
            return Err(ScoreError::Diverged { step: step + 1, loss });
        }
        let rate = training.lr * (1.0 - step as f64 / steps as f64);
        net = adam.step(rate, net, grads);
        progress(step + 1, steps, loss);
    }
    let net = net.valid();
    let labels: Vec<usize> = (0..test.len()).filter_map(|index| test.label(index)).collect();
    let (mut right, mut start) = (0.0, 0);
    // Not all pictures in memory at once.
    for labels in labels.chunks(4096) {
        let pictures = read_rows(&*test, start..start + labels.len())?;
        let seen = look(&net, &pictures, shape, device, |_| Ok(()))?;
        right += seen.accuracy(labels) * labels.len() as f64;
        start += labels.len();
    }
    Ok(Classifier {
        shape,
        classes,
        accuracy: right.round() / labels.len() as f64,
        tested: labels.len(),
        trained,
        epochs: training.epochs,
        seed: training.seed,
        data: digest,
        weights: parameters(&net),
    })
}

/// Mean cross-entropy of a batch, `−log softmax(logits)` at the label, and its gradient.
pub(super) fn gradients<B: AutodiffBackend>(
    net: &Net<B>,
    batch: &HostBatch,
    device: &B::Device,
) -> (f32, GradientsParams) {
    let rows = batch.shape[0];
    let parts = PARTS.min(rows);
    // A fork has the same weights as leaves of another tape.
    let items = (0..parts).map(|part| (net.clone().fork(device), batch.part(part, parts, 1))).collect();
    let differentiate = |(net, part): (Net<B>, HostBatch)| {
        let batch = on_device::<B>(part, device);
        let labels = batch.labels.expect("labelled data").unsqueeze_dim(1);
        let chosen: Tensor<B, 2> = log_softmax(net.logits(net.features(batch.x)), 1).gather(1, labels);
        let loss = chosen.sum_dim(0).reshape([1]) * (-1.0 / rows as f64);
        let value = loss.clone().inner();
        (value, GradientsParams::from_grads(loss.backward(), &net))
    };
    let (mut sum, mut loss) = (GradientsAccumulator::new(), 0.0);
    for (value, grads) in side_by_side::map::<B, _, _>(device, items, differentiate) {
        sum.accumulate(net, grads);
        loss += value.into_data().iter::<f32>().next().expect("one number");
    }
    (loss, sum.grads())
}
