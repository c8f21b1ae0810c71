//! Embeddings of times, classes and positions, as in the official JAX MeanFlow DiT (`models_dit.py`).

use burn::{
    module::{Module, Param},
    nn::Linear,
    tensor::{Int, Tensor, TensorData, activation::silu, backend::Backend},
};

use meanflow_core::precision::typed_as;

use crate::{
    init::{Init, Law},
    start::constant,
};

/// Law of the embedders' weights in DiT.
pub(crate) const NARROW: Law = Law::Normal(0.02);

/// Width of the sinusoidal features of a time.
const FREQUENCIES: usize = 256;

/// Embeds a time in [0, 1]: sinusoidal features, then a two-layer perceptron.
///
/// `φ(t) = [cos(t·f_k), sin(t·f_k)]`, `f_k = 10000^(−k/128)`, `k < 128`; `out = W₂·silu(W₁·φ + b₁) + b₂`.
#[derive(Module, Debug)]
pub struct TimeEmbedder<B: Backend> {
    fc1: Linear<B>,
    fc2: Linear<B>,
    /// `f_k`, `[1, 128]`; not a parameter.
    frequencies: Tensor<B, 2>,
}

impl<B: Backend> TimeEmbedder<B> {
    /// `law` gives the law of a layer's weights for the number of its inputs.
    pub fn new(init: &Init<B>, width: usize, law: impl Fn(usize) -> Law) -> Self {
        let half = FREQUENCIES / 2;
        let frequencies: Vec<f64> =
            (0..half).map(|k| (-(10_000_f64.ln()) * k as f64 / half as f64).exp()).collect();
        Self {
            fc1: init.at("fc1").linear(FREQUENCIES, width, law(FREQUENCIES)),
            fc2: init.at("fc2").linear(width, width, law(width)),
            frequencies: Tensor::from_data(TensorData::new(frequencies, [1, half]), init.device()),
        }
    }

    /// `[batch] -> [batch, width]`.
    pub fn forward(&self, t: Tensor<B, 1>) -> Tensor<B, 2> {
        let angles = t.unsqueeze_dim::<2>(1) * self.frequencies.clone();
        let features = Tensor::cat(vec![angles.clone().cos(), angles.sin()], 1);
        let features = typed_as(features, &self.fc1.weight.val());
        self.fc2.forward(silu(self.fc1.forward(features)))
    }

    /// What it says of the time 0, `[width]`.
    pub fn at_zero(&self) -> Tensor<B, 1> {
        let zero = Tensor::zeros([1], &self.fc1.weight.device());
        self.forward(zero).squeeze_dim::<1>(0)
    }

    /// The embedder that says `value`, `[width]`, of every time, and can learn to tell them apart.
    pub fn constant(self, value: Tensor<B, 1>) -> Self {
        Self { fc2: constant(self.fc2, value), ..self }
    }
}

/// Number of trainable parameters of a [`TimeEmbedder`].
pub fn time_parameters(width: usize) -> usize {
    (FREQUENCIES + 1) * width + (width + 1) * width
}

/// Operations of a [`TimeEmbedder`], see [`Network::flops`](crate::Network::flops).
pub fn time_flops(width: usize) -> f64 {
    2.0 * (FREQUENCIES * width + width * width) as f64
}

/// A table of class embeddings; its last row is the null (unconditional) class.
#[derive(Module, Debug)]
pub struct LabelEmbedder<B: Backend> {
    table: Param<Tensor<B, 2>>,
}

impl<B: Backend> LabelEmbedder<B> {
    /// A table for `classes` classes and the null class, drawn from `law`.
    pub fn new(init: &Init<B>, classes: usize, width: usize, law: Law) -> Self {
        let table = init.at("table").param([classes + 1, width], law);
        Self { table }
    }

    /// `[batch] -> [batch, width]`.
    pub fn forward(&self, labels: Tensor<B, 1, Int>) -> Tensor<B, 2> {
        self.table.val().select(0, labels)
    }

    /// Number of classes without the null class.
    pub fn classes(&self) -> usize {
        self.table.lazy_shape()[0] - 1
    }
}

/// Number of trainable parameters of a [`LabelEmbedder`], or of none.
pub fn label_parameters(classes: Option<usize>, width: usize) -> usize {
    classes.map_or(0, |classes| (classes + 1) * width)
}

/// Fixed sine-cosine positions of a `rows × columns` grid in row-major order, `[rows·columns][width]`.
///
/// The first half of the features encodes the column, the second the row, each as
/// `[sin(p·w_k), cos(p·w_k)]`, `w_k = 10000^(−k/(width/4))`, `k < width/4`.
///
/// # Panics
/// If 4 does not divide `width`.
pub(crate) fn grid_positions(rows: usize, columns: usize, width: usize) -> Vec<f64> {
    assert!(width.is_multiple_of(4), "width {width} is not a multiple of 4");
    let quarter = width / 4;
    let axis = |position: usize, out: &mut Vec<f64>| {
        let angle = |k: usize| position as f64 * 10_000_f64.powf(-(k as f64) / quarter as f64);
        out.extend((0..quarter).map(|k| angle(k).sin()));
        out.extend((0..quarter).map(|k| angle(k).cos()));
    };
    let mut out = Vec::with_capacity(rows * columns * width);
    for row in 0..rows {
        for column in 0..columns {
            axis(column, &mut out);
            axis(row, &mut out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_positions_put_the_column_first() {
        let positions = grid_positions(2, 3, 8);
        let row = |n: usize| &positions[8 * n..8 * (n + 1)];
        assert_eq!(row(0), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        // Token 2 is row 0, column 2; token 3 is row 1, column 0.
        assert_eq!(row(2)[..4], [2_f64.sin(), 0.02_f64.sin(), 2_f64.cos(), 0.02_f64.cos()]);
        assert_eq!(row(2)[4..], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(row(3)[..4], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(row(3)[4..], [1_f64.sin(), 0.01_f64.sin(), 1_f64.cos(), 0.01_f64.cos()]);
    }
}
