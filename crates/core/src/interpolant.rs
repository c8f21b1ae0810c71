//! The straight interpolant between data and noise.

use burn::tensor::{Tensor, backend::Backend};

/// A training pair `(z_t, v)`.
#[derive(Clone, Debug)]
pub struct PathSample<B: Backend> {
    /// `z_t = (1−t)·x + t·e`, the shape of `x`.
    pub z: Tensor<B, 4>,
    /// `v = dz/dt = e − x`, the shape of `x`.
    pub v: Tensor<B, 4>,
}

/// `z_t` and `v` for data `x`, noise `e` (`[batch, channels, height, width]`) and times `t` (`[batch]`).
pub fn linear_path<B: Backend>(x: Tensor<B, 4>, e: Tensor<B, 4>, t: Tensor<B, 1>) -> PathSample<B> {
    let v = e - x.clone();
    PathSample { z: x + v.clone() * per_row(t), v }
}

/// `[batch]` as `[batch, 1, 1, 1]`.
pub fn per_row<B: Backend>(values: Tensor<B, 1>) -> Tensor<B, 4> {
    let rows = values.dims()[0];
    values.reshape([rows, 1, 1, 1])
}

/// `‖a‖²` of each row, `[batch]`.
pub fn squared_norm<B: Backend>(a: Tensor<B, 4>) -> Tensor<B, 1> {
    let [rows, channels, height, width] = a.dims();
    let flat = a.reshape([rows, channels * height * width]);
    flat.clone().mul(flat).sum_dim(1).reshape([rows])
}
