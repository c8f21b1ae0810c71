//! Resampling by a fixed filter, both axes alike (StyleGAN's setup; `Conv2d` with `up` or `down` in the official U-Net).
//!
//! The two-dimensional filter is an outer product, so resampling is a matrix product along each axis. The matrix holds the
//! borders too.

use burn::{
    module::Module,
    tensor::{Tensor, TensorData, backend::Backend},
};
use meanflow_core::precision::typed_as;
use meanflow_kernels as kernels;
use meanflow_weights::HostTensor;

/// Halves or doubles the side of an image.
#[derive(Module, Debug)]
pub(crate) struct Resample<B: Backend> {
    /// `[side before, side after]`; not a parameter.
    matrix: Tensor<B, 2>,
}

impl<B: Backend> Resample<B> {
    /// `y_i = Σ_k f_k·x_{2i + k − p}`, `p = ⌊(taps − 1)/2⌋`: a convolution of stride 2.
    pub(crate) fn down(filter: &[f64], side: usize, device: &B::Device) -> Self {
        Self::strided(filter, side, padding(filter), device)
    }

    /// The same for an image that was padded before, by `p` on each side to `side + 2p`.
    pub(crate) fn down_padded(filter: &[f64], side: usize, device: &B::Device) -> Self {
        Self::strided(filter, side + 2 * padding(filter), 0, device)
    }

    /// `y_{2i + k − p} += 2·f_k·x_i`: a transposed convolution of stride 2.
    pub(crate) fn up(filter: &[f64], side: usize, device: &B::Device) -> Self {
        let (after, padding, taps) = (2 * side, padding(filter), normalised(filter));
        let mut matrix = vec![0.0; side * after];
        for before in 0..side {
            for (k, tap) in taps.iter().enumerate() {
                if let Some(at) = (2 * before + k).checked_sub(padding).filter(|at| *at < after) {
                    matrix[before * after + at] += 2.0 * tap;
                }
            }
        }
        Self::new(matrix, [side, after], device)
    }

    fn strided(filter: &[f64], side: usize, padding: usize, device: &B::Device) -> Self {
        let after = (side + 2 * padding - filter.len()) / 2 + 1;
        let taps = normalised(filter);
        let mut matrix = vec![0.0; side * after];
        for at in 0..after {
            for (k, tap) in taps.iter().enumerate() {
                if let Some(before) = (2 * at + k).checked_sub(padding).filter(|before| *before < side) {
                    matrix[before * after + at] += tap;
                }
            }
        }
        Self::new(matrix, [side, after], device)
    }

    fn new(matrix: Vec<f64>, shape: [usize; 2], device: &B::Device) -> Self {
        Self { matrix: Tensor::from_data(TensorData::new(matrix, shape), device) }
    }

    /// `[batch, channels, side, side]` before to after.
    pub(crate) fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let matrix = typed_as(self.matrix.clone(), &x);
        kernels::resample(x, matrix)
    }
}

/// Multiplications of a channel whose side changes from `before` to `after`: a matrix product along each axis.
pub(crate) fn resample_products(before: usize, after: usize) -> usize {
    before * before * after + after * before * after
}

/// Zeros on each side that a convolution with this filter takes.
pub(crate) fn padding(filter: &[f64]) -> usize {
    (filter.len() - 1) / 2
}

/// The filter of both axes, `[1, 1, taps, taps]`, which the official code keeps among its weights.
pub(crate) fn square(filter: &[f64]) -> HostTensor {
    let taps = normalised(filter);
    let values = taps.iter().flat_map(|row| taps.iter().map(move |column| (row * column) as f32)).collect();
    HostTensor { shape: vec![1, 1, taps.len(), taps.len()], values }
}

fn normalised(filter: &[f64]) -> Vec<f64> {
    let sum: f64 = filter.iter().sum();
    filter.iter().map(|tap| tap / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        backend::Flex,
        tensor::{
            module::{conv_transpose2d, conv2d},
            ops::{ConvOptions, ConvTransposeOptions},
        },
    };

    fn image(side: usize) -> Tensor<Flex, 4> {
        let values: Vec<f32> = (0..2 * 3 * side * side).map(|i| ((7 * i % 31) as f32).sin()).collect();
        Tensor::from_data(TensorData::new(values, [2, 3, side, side]), &Default::default())
    }

    /// The filter as a depthwise kernel, `[3, 1, taps, taps]`, times `scale`.
    fn kernel(filter: &[f64], scale: f64) -> Tensor<Flex, 4> {
        let taps = normalised(filter);
        let outer: Vec<f64> = taps.iter().flat_map(|a| taps.iter().map(move |b| scale * a * b)).collect();
        let n = filter.len();
        Tensor::from_data(TensorData::new(outer.repeat(3), [3, 1, n, n]), &Default::default())
    }

    fn assert_equal(a: Tensor<Flex, 4>, b: Tensor<Flex, 4>) {
        assert_eq!(a.dims(), b.dims());
        let difference: f32 = (a - b).abs().max().into_scalar();
        assert!(difference < 1e-6, "{difference:e}");
    }

    #[test]
    fn it_is_the_depthwise_convolution() {
        let device = Default::default();
        for filter in [vec![1.0, 1.0], vec![1.0, 3.0, 3.0, 1.0], vec![1.0, 2.0, 4.0, 8.0, 5.0, 3.0]] {
            let p = padding(&filter);
            for side in [6, 8] {
                let x = image(side);
                let down = conv2d(
                    x.clone(),
                    kernel(&filter, 1.0),
                    None,
                    ConvOptions::new([2, 2], [p, p], [1, 1], 3),
                );
                assert_equal(Resample::down(&filter, side, &device).forward(x.clone()), down);
                let bare = conv2d(
                    image(side + 2 * p),
                    kernel(&filter, 1.0),
                    None,
                    ConvOptions::new([2, 2], [0, 0], [1, 1], 3),
                );
                let padded = Resample::down_padded(&filter, side, &device).forward(image(side + 2 * p));
                assert_equal(padded, bare);
                let options = ConvTransposeOptions::new([2, 2], [p, p], [0, 0], [1, 1], 3);
                let up = conv_transpose2d(x.clone(), kernel(&filter, 4.0), None, options);
                assert_equal(Resample::up(&filter, side, &device).forward(x), up);
            }
        }
    }

    #[test]
    fn two_equal_taps_average_and_repeat() {
        let device = Default::default();
        let x = Tensor::<Flex, 4>::from_floats([[[[1.0, 3.0], [5.0, 7.0]]]], &device);
        let down = Resample::down(&[1.0, 1.0], 2, &device).forward(x.clone());
        assert_eq!(down.into_data().to_vec::<f32>().unwrap(), [4.0]);
        let up = Resample::up(&[1.0, 1.0], 2, &device).forward(x).into_data().to_vec::<f32>().unwrap();
        assert_eq!(up, [1., 1., 3., 3., 1., 1., 3., 3., 5., 5., 7., 7., 5., 5., 7., 7.]);
    }
}
