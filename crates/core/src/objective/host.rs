//! Numbers of the host as tensors.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

/// One number a row, `[rows]`.
pub fn column<B: Backend>(values: &[f32], device: &B::Device) -> Tensor<B, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// Samples or noise, `shape`.
pub fn samples<B: Backend>(values: &[f32], shape: [usize; 4], device: &B::Device) -> Tensor<B, 4> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// Numbers of rows, `[rows]`.
pub fn indices<B: Backend>(rows: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
