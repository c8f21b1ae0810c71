//! Initial weights: drawn on the host, one random stream per parameter path.

use burn::{
    module::{Param, ParamId},
    nn::Linear,
    tensor::{Tensor, TensorData, backend::Backend},
};
use meanflow_core::{Streams, random::open_unit};

/// The law of a parameter's initial values.
#[derive(Clone, Copy, Debug)]
pub enum Law {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// Uniform on `±bound`.
    Uniform(f64),
    /// N(0, std²).
    Normal(f64),
    /// Uniform on `±√(6 / (fan_in + fan_out))` (Glorot and Bengio 2010), the fans being the two sizes of the matrix.
    Xavier,
}

/// Makes the parameters below one path of a module.
///
/// A parameter's values and its [`ParamId`] depend on the run's seed and the path alone: not on the order in which modules
/// are made, on the device, or on any process-wide generator.
pub struct Init<'a, B: Backend> {
    streams: &'a Streams,
    device: &'a B::Device,
    path: String,
}

impl<'a, B: Backend> Init<'a, B> {
    /// The maker for a whole network.
    pub fn new(streams: &'a Streams, device: &'a B::Device) -> Self {
        Self { streams, device, path: String::new() }
    }

    /// Where the parameters are made.
    pub fn device(&self) -> &B::Device {
        self.device
    }

    /// The maker for the child `name` of this path.
    pub fn at(&self, name: &str) -> Self {
        let path = match self.path.as_str() {
            "" => name.to_string(),
            parent => format!("{parent}.{name}"),
        };
        Self { path, ..*self }
    }

    /// The parameter at this path.
    pub fn param<const D: usize>(&self, shape: [usize; D], law: Law) -> Param<Tensor<B, D>> {
        let count = shape.iter().product();
        let stream = format!("init/{}", self.path);
        let values = match law {
            Law::Zeros => vec![0.0; count],
            Law::Ones => vec![1.0; count],
            Law::Uniform(bound) => self.uniform(&stream, bound, count),
            Law::Normal(std) => {
                let mut values = self.streams.normal(&stream, 0, count);
                values.iter_mut().for_each(|value| *value *= std as f32);
                values
            }
            Law::Xavier => {
                let fans: usize = shape.iter().sum();
                self.uniform(&stream, (6.0 / fans as f64).sqrt(), count)
            }
        };
        let value = Tensor::from_data(TensorData::new(values, shape), self.device);
        Param::initialized(self.id(), value.require_grad())
    }

    /// A linear layer `[inputs, outputs]` without a bias at this path.
    pub fn linear_without_bias(&self, inputs: usize, outputs: usize, law: Law) -> Linear<B> {
        Linear { weight: self.at("weight").param([inputs, outputs], law), bias: None }
    }

    fn uniform(&self, stream: &str, bound: f64, count: usize) -> Vec<f32> {
        let mut rng = self.streams.rng(stream, 0);
        (0..count).map(|_| ((2.0 * open_unit(&mut rng) - 1.0) * bound) as f32).collect()
    }

    /// A linear layer `[inputs, outputs]` with a zero bias at this path.
    pub fn linear(&self, inputs: usize, outputs: usize, law: Law) -> Linear<B> {
        Linear {
            weight: self.at("weight").param([inputs, outputs], law),
            bias: Some(self.at("bias").param([outputs], Law::Zeros)),
        }
    }

    /// The path's 64-bit FNV-1a hash, so that optimizer state written by one process belongs to the same parameters in another.
    fn id(&self) -> ParamId {
        let hash = self.path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        ParamId::from(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    fn values(seed: u64, path: &str, law: Law) -> Vec<f32> {
        let (streams, device) = (Streams::new(seed), Default::default());
        let param = Init::<Flex>::new(&streams, &device).at(path).param([60, 40], law);
        param.val().into_data().to_vec().unwrap()
    }

    #[test]
    fn values_depend_on_seed_and_path_alone() {
        let first = values(1, "a", Law::Xavier);
        assert_eq!(first, values(1, "a", Law::Xavier));
        assert_ne!(first, values(1, "b", Law::Xavier));
        assert_ne!(first, values(2, "a", Law::Xavier));
    }

    #[test]
    fn laws_have_the_stated_moments() {
        let bound = (6.0_f32 / 100.0).sqrt();
        let moments = |values: &[f32]| {
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
            (mean, (square - mean * mean).sqrt())
        };
        let xavier = values(0, "w", Law::Xavier);
        assert!(xavier.iter().all(|v| v.abs() <= bound));
        let (mean, std) = moments(&xavier);
        assert!(mean.abs() < 0.01 && (std / (bound / 3.0_f32.sqrt()) - 1.0).abs() < 0.03);
        let (mean, std) = moments(&values(0, "w", Law::Normal(0.02)));
        assert!(mean.abs() < 2e-3 && (std / 0.02 - 1.0).abs() < 0.05);
        let uniform = values(0, "w", Law::Uniform(0.5));
        assert!(uniform.iter().all(|v| v.abs() <= 0.5));
        let (mean, std) = moments(&uniform);
        assert!(mean.abs() < 0.03 && (std * 12.0_f32.sqrt() - 1.0).abs() < 0.03);
        assert!(values(0, "w", Law::Zeros).iter().all(|v| *v == 0.0));
        assert!(values(0, "w", Law::Ones).iter().all(|v| *v == 1.0));
    }
}
