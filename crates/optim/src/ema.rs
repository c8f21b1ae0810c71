//! Exponential moving averages of the weights.

use super::pass::pass;
use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Tensor, backend::Backend, ops::FloatTensor},
};

/// How the share of an average that an update keeps depends on the number of the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Profile {
    /// A constant share.
    Constant {
        /// That share.
        decay: f64,
        /// Whether update `n` keeps only `min(decay, (n+1)/(n+10))`, which lets the average forget the initial weights in
        /// short runs.
        ramp: bool,
    },
    /// `(1 − 1/n)^(γ+1)`, so that the average of N updates weighs update n by about `n^γ` (EDM2, arXiv 2312.02696, eq. 127).
    /// It never knew the initial weights.
    Power(f64),
}

impl Profile {
    /// The share that update number `n` (from 1) keeps.
    pub fn decay_at(self, n: u64) -> f64 {
        match self {
            Self::Constant { decay, ramp: true } => decay.min((n + 1) as f64 / (n + 10) as f64),
            Self::Constant { decay, ramp: false } => decay,
            Self::Power(power) => (1.0 - 1.0 / n as f64).powf(power + 1.0),
        }
    }
}

/// The power `γ` of a profile of relative width `std`, `std² = (γ+1)/((γ+2)²·(γ+3))` (EDM2, eq. 123); `std` is below `√(1/12)`.
pub fn power_of_std(std: f64) -> f64 {
    let width = |power: f64| ((power + 1.0) / ((power + 2.0).powi(2) * (power + 3.0))).sqrt();
    // It falls with the power, and is below 1/γ.
    let (mut low, mut high) = (0.0, 1.0 / std);
    while low < high {
        let middle = 0.5 * (low + high);
        if middle == low || middle == high {
            break;
        }
        if width(middle) > std { low = middle } else { high = middle }
    }
    high
}

/// The decay per step that halves a weight's share every `images` images.
pub fn decay_of_half_life(images: f64, batch: usize) -> f64 {
    0.5f64.powf(batch as f64 / images)
}

/// `average ← decay·average + (1−decay)·current`, parameter by parameter. Both live on the same backend without a tape.
pub fn update<B: Backend, M: Module<B>>(average: M, current: &M, decay: f64) -> M {
    updated(vec![(average, decay)], current).pop().expect("one average")
}

/// [`update`] of several averages in one pass.
pub(crate) fn updated<B: Backend, M: Module<B>>(averages: Vec<(M, f64)>, current: &M) -> Vec<M> {
    let mut values = Values::<B>(Vec::new());
    current.visit(&mut values);
    let parameters = values.0.into_iter().map(|value| (value, None)).collect();
    pass(parameters, None, averages).1
}

struct Values<B: Backend>(Vec<FloatTensor<B>>);

impl<B: Backend> ModuleVisitor<B> for Values<B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.push(param.val().into_primitive().tensor());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramp_starts_low_and_ends_at_the_decay() {
        let ramped = Profile::Constant { decay: 0.999, ramp: true };
        assert_eq!(ramped.decay_at(1), 2.0 / 11.0);
        assert_eq!(ramped.decay_at(1_000_000), 0.999);
        assert_eq!(Profile::Constant { decay: 0.999, ramp: false }.decay_at(1), 0.999);
    }

    /// After N updates, update n has the weight `(n/N)^(γ+1) − ((n−1)/N)^(γ+1)`.
    #[test]
    fn a_power_profile_has_its_closed_form() {
        for power in [1.0, 6.94, 16.97] {
            let profile = Profile::Power(power);
            let value = |n: u64| (0.01 * n as f64).sin();
            let count = 400;
            let average = (1..=count).fold(123.0, |average, n| {
                let decay = profile.decay_at(n);
                decay * average + (1.0 - decay) * value(n)
            });
            let share = |n: u64| (n as f64 / count as f64).powf(power + 1.0);
            let expected: f64 = (1..=count).map(|n| (share(n) - share(n - 1)) * value(n)).sum();
            assert!((average - expected).abs() < 1e-12, "{average} is not {expected}");
        }
    }

    /// Table of EDM2: widths 0.05 and 0.10 are the powers 16.97 and 6.94.
    #[test]
    fn widths_are_powers() {
        assert!((power_of_std(0.05) - 16.97).abs() < 5e-3);
        assert!((power_of_std(0.10) - 6.94).abs() < 5e-3);
        for std in [1e-3, 0.02, 0.2, 0.288] {
            let power = power_of_std(std);
            let again = ((power + 1.0) / ((power + 2.0).powi(2) * (power + 3.0))).sqrt();
            assert!((again / std - 1.0).abs() < 1e-9, "{std}: {power}");
        }
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
    fn an_average_of_a_constant_stays() {
        use burn::{backend::Flex, nn::LinearConfig, tensor::Distribution};
        let mut current: burn::nn::Linear<Flex> = LinearConfig::new(4, 4).init(&Default::default());
        current.weight = current.weight.map(|weight| weight.random_like(Distribution::Default));
        let average = (0..1000).fold(current.clone(), |average, _| update(average, &current, 0.99995));
        let values =
            |layer: &burn::nn::Linear<Flex>| layer.weight.val().into_data().to_vec::<f32>().expect("f32");
        assert_eq!(values(&average), values(&current));
    }

    /// A module in training may be averaged as it is.
    #[test]
    fn modules_on_a_tape_have_averages_too() {
        use burn::{
            backend::{Autodiff, Flex},
            nn::{Linear, LinearConfig},
        };
        let layer = |value: f32| -> Linear<Autodiff<Flex>> {
            let mut layer = LinearConfig::new(2, 2).with_bias(false).init(&Default::default());
            layer.weight = layer.weight.map(|weight| weight.full_like(value).require_grad());
            layer
        };
        let average = update(layer(1.0), &layer(3.0), 0.75);
        assert_eq!(average.weight.val().into_data().iter::<f32>().collect::<Vec<_>>(), [1.5; 4]);
    }

    #[test]
    fn half_life_halves() {
        let decay = decay_of_half_life(500_000.0, 1_000);
        assert!((decay.powi(500) - 0.5).abs() < 1e-12);
    }
}
