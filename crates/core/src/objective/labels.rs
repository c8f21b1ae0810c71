//! The condition that a network is trained on: labels that are dropped, dropout that acts.

use super::{Batch, Draws};
use crate::Condition;
use burn::tensor::{
    Bool, Int, Tensor, TensorData,
    backend::{AutodiffBackend, Backend},
};

/// The condition that a network of `classes` is evaluated on, without gradient: labels and augmentation, no dropout.
pub fn condition<B: Backend>(batch: &Batch<B>, classes: Option<usize>) -> Condition<B> {
    Condition {
        labels: classes.and(batch.labels.clone()),
        augment: batch.augment.clone(),
        ..Condition::none()
    }
}

/// The condition that a network of `classes` is trained on: dropped labels become the null class, and dropout acts.
pub fn trained<B: Backend>(condition: Condition<B>, classes: Option<usize>, draws: &Draws) -> Condition<B> {
    let labels = match (condition.labels, classes) {
        (Some(labels), Some(classes)) => Some(without(labels, classes, &draws.dropped)),
        _ => None,
    };
    Condition { labels, dropout: draws.dropout, ..condition }
}

/// `labels` with the null class in place of those that are `dropped`, `[batch]`.
pub fn without<B: Backend>(labels: Tensor<B, 1, Int>, classes: usize, dropped: &[bool]) -> Tensor<B, 1, Int> {
    if !dropped.contains(&true) {
        return labels;
    }
    let mask = TensorData::new(dropped.to_vec(), [dropped.len()]);
    let mask = Tensor::<B, 1, Bool>::from_data(mask, &labels.device());
    labels.mask_fill(mask, classes as i64)
}

/// The condition of an inner backend, on the outer one.
pub fn outer<B: AutodiffBackend>(condition: Condition<B::InnerBackend>) -> Condition<B> {
    Condition {
        labels: condition.labels.map(Tensor::from_inner),
        augment: condition.augment.map(Tensor::from_inner),
        guidance: condition.guidance.map(|guidance| guidance.map(Tensor::from_inner)),
        dropout: condition.dropout,
    }
}
