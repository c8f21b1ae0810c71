//! Exponential moving averages of the weights.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Tensor, TensorPrimitive, backend::Backend, ops::FloatTensor},
};
use std::collections::VecDeque;

/// The decay of update number `n` (from 1): `min(decay, (n+1)/(n+10))` with the ramp, else `decay`.
///
/// The ramp lets the average forget the initial weights in short runs.
pub fn decay_at(decay: f64, ramp: bool, n: u64) -> f64 {
    if ramp { decay.min((n + 1) as f64 / (n + 10) as f64) } else { decay }
}

/// The decay per step that halves a weight's share every `images` images.
pub fn decay_of_half_life(images: f64, batch: usize) -> f64 {
    0.5f64.powf(batch as f64 / images)
}

/// `average ← decay·average + (1−decay)·current`, parameter by parameter. Both live on the same backend without a tape.
pub fn update<B: Backend, M: Module<B>>(average: M, current: &M, decay: f64) -> M {
    let mut weights = Weights { queue: VecDeque::new() };
    current.visit(&mut weights);
    average.map(&mut Lerp { weights, decay })
}

struct Weights<B: Backend> {
    queue: VecDeque<FloatTensor<B>>,
}

impl<B: Backend> ModuleVisitor<B> for Weights<B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.queue.push_back(param.val().into_primitive().tensor());
    }
}

struct Lerp<B: Backend> {
    weights: Weights<B>,
    decay: f64,
}

impl<B: Backend> ModuleMapper<B> for Lerp<B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, average, mapper) = param.consume();
        let current = self.weights.queue.pop_front().expect("average and current are the same module");
        let current = Tensor::<B, D>::from_primitive(TensorPrimitive::Float(current));
        let average = average * self.decay + current * (1.0 - self.decay);
        Param::from_mapped_value(id, average, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramp_starts_low_and_ends_at_the_decay() {
        assert_eq!(decay_at(0.999, true, 1), 2.0 / 11.0);
        assert_eq!(decay_at(0.999, true, 1_000_000), 0.999);
        assert_eq!(decay_at(0.999, false, 1), 0.999);
    }

    #[test]
    fn the_average_moves_by_its_share() {
        use burn::{backend::Flex, nn::LinearConfig};
        let device = Default::default();
        let layer = |value: f32| -> burn::nn::Linear<Flex> {
            let mut layer = LinearConfig::new(2, 2).init(&device);
            layer.weight = layer.weight.map(|weight| weight.full_like(value));
            layer
        };
        let average = update(layer(1.0), &layer(3.0), 0.75);
        let values: Vec<f32> = average.weight.val().into_data().iter().collect();
        assert_eq!(values, [1.5; 4]);
    }

    #[test]
    fn half_life_halves() {
        let decay = decay_of_half_life(500_000.0, 1_000);
        assert!((decay.powi(500) - 0.5).abs() < 1e-12);
    }
}
