//! From times, class and augmentation to the vector that every block takes.

use std::f64::consts::PI;

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, TensorData, activation::silu, backend::Backend},
};
use meanflow_core::precision::typed_as;
use meanflow_core::{Clock, Condition, Streams};

use super::{TimeFeatures, UnetConfig};
use crate::{
    error::NetError,
    init::{Init, Law},
    start::{widened, wider},
};

/// Standard deviation of Fourier frequencies.
const FOURIER_SCALE: f64 = 16.0;

/// `silu(L₁·silu(L₀·(φ(t, h) + W_class + W_aug)))` with the features `φ` of the clock's times side by side.
#[derive(Module, Debug)]
pub(crate) struct Mapping<B: Backend> {
    /// `f_k`, `[1, features/2]`, in radians per unit of time; not a parameter.
    frequencies: Tensor<B, 2>,
    map_label: Option<Linear<B>>,
    map_augment: Option<Linear<B>>,
    map_layer0: Linear<B>,
    map_layer1: Linear<B>,
    #[module(skip)]
    clock: Clock,
}

impl<B: Backend> Mapping<B> {
    pub(crate) fn new(init: &Init<B>, config: &UnetConfig, classes: Option<usize>) -> Self {
        let (features, embedding) = (config.clock.count() * config.time_features(), config.embedding());
        let frequencies = match config.time_features {
            TimeFeatures::Positional => positional(config.time_features() / 2),
            TimeFeatures::Fourier => fourier(config.time_features() / 2),
        };
        let shape = [1, frequencies.len()];
        let linear = |name: &str, inputs: usize, outputs| init.at(name).linear(inputs, outputs, Law::Xavier);
        Self {
            frequencies: Tensor::from_data(TensorData::new(frequencies, shape), init.device()),
            map_label: classes.map(|classes| linear("map_label", classes, features)),
            map_augment: (config.augment > 0)
                .then(|| init.at("map_augment").linear_without_bias(config.augment, features, Law::Xavier)),
            map_layer0: linear("map_layer0", features, embedding),
            map_layer1: linear("map_layer1", embedding, embedding),
            clock: config.clock,
        }
    }

    /// `[batch] -> [batch, embedding]`.
    pub(crate) fn forward(&self, r: Tensor<B, 1>, t: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 2> {
        let features = |time: Tensor<B, 1>| {
            let angles = time.unsqueeze_dim::<2>(1) * self.frequencies.clone();
            [angles.clone().sin(), angles.cos()]
        };
        let weight = self.map_layer0.weight.val();
        let x = typed_as(
            Tensor::cat(self.clock.numbers(r, t).into_iter().flat_map(features).collect(), 1),
            &weight,
        );
        let x = match &self.map_label {
            Some(map) => {
                let labels = condition.labels.clone().expect("a class-conditional U-Net needs labels");
                // The class is √classes times a unit vector, the null class is zero.
                let [classes, width] = map.weight.dims();
                let null = Tensor::zeros([1, width], (&x.device(), x.dtype()));
                let table = Tensor::cat(vec![map.weight.val() * (classes as f64).sqrt(), null], 0);
                let bias = map.bias.as_ref().expect("made with a bias").val();
                x + table.select(0, labels) + bias.unsqueeze()
            }
            None => x,
        };
        let x = match (&self.map_augment, &condition.augment) {
            (Some(map), Some(labels)) => x + map.forward(typed_as(labels.clone(), &weight)),
            _ => x,
        };
        silu(self.map_layer1.forward(silu(self.map_layer0.forward(x))))
    }

    /// The mapping that says for every `r ≤ t` what `flow` said at `r = t`, with the clock of this one.
    ///
    /// # Errors
    /// [`NetError::NoStart`]: classes reach the first layer through the features of the gap too, whose weights are to count nothing.
    pub(crate) fn start_from(self, flow: &Self) -> Result<Self, NetError> {
        if flow.clock == Clock::TimeAndGap && flow.map_label.is_some() {
            let reason = "in a U-Net with classes the gap's features carry them too; train the flow with clock = \"t\"";
            return Err(NetError::NoStart { reason });
        }
        let known = flow.map_layer0.weight.dims()[0] / flow.clock.count();
        let gap = (flow.clock == Clock::TimeAndGap).then(|| {
            let zeros = Tensor::zeros(flow.frequencies.dims(), &flow.frequencies.device());
            let weight = flow.map_layer0.weight.val();
            typed_as(Tensor::cat(vec![zeros.clone().sin(), zeros.cos()], 1), &weight)
        });
        let features = self.map_layer0.weight.dims()[0];
        let padded = |map: &Linear<B>| Linear {
            weight: map.weight.clone().map(|weight| wider(weight, 1, features)),
            bias: map.bias.clone().map(|bias| bias.map(|bias| wider(bias, 0, features))),
        };
        Ok(Self {
            frequencies: flow.frequencies.clone(),
            map_label: flow.map_label.as_ref().map(padded),
            map_augment: flow.map_augment.as_ref().map(padded),
            map_layer0: widened(self.map_layer0, &flow.map_layer0, known, gap),
            map_layer1: flow.map_layer1.clone(),
            clock: self.clock,
        })
    }

    /// The mapping with these frequencies, in turns per unit of time; else the number that is needed.
    pub(crate) fn with_fourier(self, turns: &[f32]) -> Result<Self, usize> {
        let shape = self.frequencies.dims();
        if turns.len() != shape[1] {
            return Err(shape[1]);
        }
        let radians: Vec<f64> = turns.iter().map(|turns| 2.0 * PI * f64::from(*turns)).collect();
        let frequencies = Tensor::from_data(TensorData::new(radians, shape), &self.frequencies.device());
        Ok(Self { frequencies, ..self })
    }

    /// Number of classes, if there are any.
    pub(crate) fn classes(&self) -> Option<usize> {
        self.map_label.as_ref().map(|map| map.weight.lazy_shape()[0])
    }
}

/// Number of parameters of a [`Mapping`].
pub(crate) fn mapping_parameters(config: &UnetConfig, classes: Option<usize>) -> usize {
    let (features, embedding) = (config.clock.count() * config.time_features(), config.embedding());
    (features + 1) * embedding
        + (embedding + 1) * embedding
        + config.augment * features
        + classes.map_or(0, |classes| (classes + 1) * features)
}

/// Multiplications of a [`Mapping`] for a sample that is not augmented.
pub(crate) fn mapping_products(config: &UnetConfig) -> usize {
    let (features, embedding) = (config.clock.count() * config.time_features(), config.embedding());
    (features + embedding) * embedding
}

/// `f_k = 10000^(−k/(count − 1))`.
fn positional(count: usize) -> Vec<f64> {
    (0..count).map(|k| 10_000_f64.powf(-(k as f64) / (count - 1) as f64)).collect()
}

/// `f_k = 2π·16·n_k`, `n_k ~ N(0, 1)`, the same draws in every network of this size: they are no part of a run's state.
fn fourier(count: usize) -> Vec<f64> {
    let draws = Streams::new(0).normal("unet/fourier", 0, count);
    draws.into_iter().map(|draw| 2.0 * PI * FOURIER_SCALE * f64::from(draw)).collect()
}
