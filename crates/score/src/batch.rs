//! Batches of the host on a device.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use meanflow_core::{objective::Batch, precision::Precision};
use meanflow_data::HostBatch;
use meanflow_generator::label_tensor;

/// A host batch on the device.
pub fn on_device<B: Backend>(batch: HostBatch, device: &B::Device) -> Batch<B> {
    let rows = batch.shape[0];
    Batch {
        x: Tensor::from_data(TensorData::new(batch.samples, batch.shape), device),
        labels: batch.labels.map(|labels| label_tensor(&labels, device)),
        augment: batch.augment.map(|values| {
            let numbers = values.len() / rows;
            Tensor::from_data(TensorData::new(values, [rows, numbers]), device)
        }),
        precision: Precision::Full,
    }
}
