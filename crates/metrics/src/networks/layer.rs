//! A convolution with the batch normalisation that follows it, as one convolution.

use burn::tensor::{Tensor, TensorData, backend::Backend, module::conv2d, ops::ConvOptions};

use super::Weights;
use crate::InputError;

/// The names of a batch normalisation's tensors after its own.
const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// A convolution without bias and the normalisation `γ·(x − mean)/√(var + eps) + β`, folded into one:
/// `w·γ/√(var + eps)` and `β − mean·γ/√(var + eps)`, computed in f64.
#[derive(Debug)]
pub(super) struct Conv<B: Backend> {
    weight: Tensor<B, 4>,
    bias: Tensor<B, 1>,
    stride: [usize; 2],
    padding: [usize; 2],
    groups: usize,
}

/// What a convolution is, apart from its weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// `[out, in / groups, height, width]`.
    pub weight: [usize; 4],
    pub stride: usize,
    pub padding: [usize; 2],
    pub groups: usize,
}

impl<B: Backend> Conv<B> {
    /// The convolution `conv` (`….weight`) followed by the normalisation `norm`.
    pub fn load(
        weights: &Weights,
        conv: &str,
        norm: &str,
        shape: Shape,
        eps: f64,
        device: &B::Device,
    ) -> Result<Self, InputError> {
        let out = shape.weight[0];
        let weight = weights.get(&format!("{conv}.weight"), &shape.weight)?;
        let [gamma, beta, mean, variance] = NORM.map(|part| weights.get(&format!("{norm}.{part}"), &[out]));
        let (gamma, beta, mean, variance) = (gamma?, beta?, mean?, variance?);
        let scale: Vec<f64> =
            gamma.iter().zip(variance).map(|(g, v)| f64::from(*g) / (f64::from(*v) + eps).sqrt()).collect();
        let size = weight.len() / out;
        let folded: Vec<f32> =
            weight.iter().enumerate().map(|(at, w)| (f64::from(*w) * scale[at / size]) as f32).collect();
        let bias: Vec<f32> =
            (0..out).map(|k| (f64::from(beta[k]) - f64::from(mean[k]) * scale[k]) as f32).collect();
        Ok(Self {
            weight: Tensor::from_data(TensorData::new(folded, shape.weight), device),
            bias: Tensor::from_data(TensorData::new(bias, [out]), device),
            stride: [shape.stride; 2],
            padding: shape.padding,
            groups: shape.groups,
        })
    }

    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let options = ConvOptions::new(self.stride, self.padding, [1, 1], self.groups);
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), options)
    }
}

/// A fully connected layer with weights `[out, in]`.
#[derive(Debug)]
pub(super) struct Linear<B: Backend> {
    /// `[in, out]`.
    weight: Tensor<B, 2>,
    bias: Tensor<B, 2>,
}

impl<B: Backend> Linear<B> {
    pub fn load(
        weights: &Weights,
        name: &str,
        shape: [usize; 2],
        device: &B::Device,
    ) -> Result<Self, InputError> {
        let weight = weights.get(&format!("{name}.weight"), &shape)?.to_vec();
        let bias = weights.get(&format!("{name}.bias"), &[shape[0]])?.to_vec();
        Ok(Self {
            weight: Tensor::<B, 2>::from_data(TensorData::new(weight, shape), device).transpose(),
            bias: Tensor::from_data(TensorData::new(bias, [1, shape[0]]), device),
        })
    }

    /// `x·wᵀ`.
    pub fn product(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        x.matmul(self.weight.clone())
    }

    /// What [`product`](Self::product) lacks.
    pub fn bias(&self) -> Tensor<B, 2> {
        self.bias.clone()
    }
}
