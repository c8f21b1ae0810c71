//! Inputs of a reference file on the device, and the order of its rows in an objective.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use meanflow_core::time::Times;

use crate::{error::NetError, network::Network};

use super::ParityError;
use meanflow_parity::{ReferenceFile, ReferenceFileError};
use meanflow_weights::HostTensor;

/// The numbers `name`, one a row.
pub(super) fn per_row(file: &ReferenceFile, name: &str, batch: usize) -> Result<Vec<f32>, ParityError> {
    Ok(file.shaped(name, &[batch])?)
}

/// The classes `in.y`; the index `classes` is the null class.
pub(super) fn labels<B: Backend>(
    file: &ReferenceFile,
    classes: usize,
    batch: usize,
    device: &B::Device,
) -> Result<Tensor<B, 1, Int>, ParityError> {
    let labels = file.shaped("in.y", &[batch])?;
    if let Some(label) = labels.iter().find(|y| !(0.0..=classes as f32).contains(*y)) {
        let reason = format!("class {label} is none of {classes} classes and the null class");
        return Err(ReferenceFileError::tensor("in.y", reason).into());
    }
    let labels: Vec<i32> = labels.iter().map(|y| *y as i32).collect();
    Ok(Tensor::from_data(TensorData::new(labels, [batch]), device))
}

/// `values`, one a row, as a tensor.
pub(super) fn tensor<B: Backend>(values: &[f32], device: &B::Device) -> Tensor<B, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// The rows of a file in the order that objectives want: those with `r = t` first.
pub(super) struct Order {
    rows: Vec<usize>,
    still: usize,
}

impl Order {
    pub(super) fn new(t: &[f32], r: &[f32]) -> Self {
        let (mut rows, moved): (Vec<usize>, Vec<usize>) = (0..t.len()).partition(|&row| r[row] == t[row]);
        let still = rows.len();
        rows.extend(moved);
        Self { rows, still }
    }

    pub(super) fn pick(&self, values: &[f32]) -> Vec<f32> {
        self.rows.iter().map(|row| values[*row]).collect()
    }

    pub(super) fn times(&self, t: &[f32], r: &[f32]) -> Times {
        Times { t: self.pick(t), r: self.pick(r), still: self.still }
    }

    /// The rows as indices of a tensor.
    pub(super) fn indices<B: Backend>(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        let indices: Vec<i32> = self.rows.iter().map(|row| *row as i32).collect();
        Tensor::from_data(TensorData::new(indices, [self.rows.len()]), device)
    }

    /// A result of the objective, one number a row, in the order of the file.
    pub(super) fn restore(&self, ordered: HostTensor) -> HostTensor {
        let mut values = vec![0.0; self.rows.len()];
        for (row, value) in self.rows.iter().zip(ordered.values) {
            values[*row] = value;
        }
        HostTensor { values, ..ordered }
    }
}

/// Whether a network of these sizes can be made for samples of this shape.
pub(super) fn sound(config: &impl Network, shape: [usize; 3]) -> Result<(), NetError> {
    config.check(shape).into_iter().next().map_or(Ok(()), Err)
}
