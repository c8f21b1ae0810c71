//! Label dropout: how many rows, and which.

use burn::{
    module::{Module, Param},
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::precision::Precision;
use meanflow_core::{
    Backbone, Condition, Streams,
    interpolant::per_row,
    objective::{Batch, Coupling, Draws, FlowMatchingConfig, MeanFlowConfig, ObjectiveConfig},
    time::Split,
    weight::Weight,
};

use crate::common::{B, Device, LAW, draw, draw_any, ints, loss_any, meanflow, tensor, values};

const CLASSES: usize = 5;

/// `u = table[label]` in every element: the squared error of a row whose `v` is zero tells which label it had.
#[derive(Module, Debug)]
struct Table<B: Backend> {
    table: Param<Tensor<B, 1>>,
}

impl<B: Backend<Device = Device>> Table<B> {
    fn new() -> Self {
        let labels: Vec<f64> = (0..=CLASSES).map(|label| label as f64 + 1.0).collect();
        Self { table: Param::from_tensor(tensor(&labels, [CLASSES + 1])) }
    }
}

impl<B: Backend> Backbone<B> for Table<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        _: Tensor<B, 1>,
        _: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let labels = condition.labels.clone().expect("labels");
        z.zeros_like() + per_row(self.table.val().select(0, labels))
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }
}

fn objectives(label_dropout: f64) -> Vec<ObjectiveConfig> {
    let weight = Weight { p: 0.0, eps: 0.01 };
    let mut objectives = vec![ObjectiveConfig::FlowMatching(FlowMatchingConfig {
        time: LAW,
        weight,
        label_dropout,
        coupling: Coupling::Off,
    })];
    for (share, split) in
        [(0.0, Split::Prefix), (0.5, Split::Prefix), (0.5, Split::Random), (1.0, Split::Prefix)]
    {
        let config = MeanFlowConfig { split, label_dropout, weight, ..meanflow(share) };
        objectives.push(ObjectiveConfig::MeanFlow(config));
    }
    objectives
}

#[test]
fn exactly_the_first_rows_get_the_null_class() {
    let net = Table::<B>::new();
    let shape = [12, 2, 1, 2];
    let labels: Vec<i64> = (0..12).map(|row| row % CLASSES as i64).collect();
    for objective in objectives(0.3) {
        let mut draws = draw_any(&objective, &Streams::new(1), 0, shape);
        for dropped in 0..=12 {
            draws.dropped = (0..12).map(|row| row < dropped).collect();
            // Data that equal the noise: no velocity, so every target is zero.
            let noise: Vec<f64> = draws.noise.iter().map(|&e| f64::from(e)).collect();
            let batch = Batch {
                x: tensor(&noise, shape),
                labels: Some(ints(&labels)),
                augment: None,
                precision: Precision::Full,
            };
            let step = loss_any(&objective, &net, batch, &draws);
            let expected: Vec<f64> = labels
                .iter()
                .enumerate()
                .map(|(row, &label)| {
                    let label = if row < dropped { CLASSES as i64 } else { label };
                    4.0 * (label as f64 + 1.0).powi(2)
                })
                .collect();
            assert_eq!(values(step.squared), expected, "{objective:?}, {dropped} dropped");
        }
    }
}

fn count(draws: &Draws) -> usize {
    draws.dropped.iter().filter(|dropped| **dropped).count()
}

/// With an exact share the dropped rows lead, as in the official code; with a random one they are anywhere, whether `r = t` or not.
#[test]
fn where_labels_are_dropped() {
    for (split, leads) in [(Split::Prefix, true), (Split::Random, false)] {
        let objective = MeanFlowConfig { split, label_dropout: 0.5, ..meanflow(0.5) };
        let draws: Vec<Draws> =
            (0..50).map(|step| draw(&objective, &Streams::new(4), step, [16, 1, 1, 1])).collect();
        assert_eq!(draws.iter().all(|draws| draws.dropped.is_sorted_by_key(|dropped| !dropped)), leads);
        let last = draws.iter().filter(|draws| draws.dropped[15]).count();
        assert_eq!(last > 10, !leads, "{last} of 50 steps drop the last row");
    }
}

#[test]
fn the_number_of_dropped_rows_is_binomial() {
    let (rows, q, steps) = (64, 0.1, 4000);
    for objective in [&objectives(q)[0], &objectives(q)[2]] {
        let dropped: Vec<f64> = (0..steps)
            .map(|step| count(&draw_any(objective, &Streams::new(2), step, [rows, 1, 1, 1])) as f64)
            .collect();
        let mean = dropped.iter().sum::<f64>() / steps as f64;
        let variance = dropped.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (steps - 1) as f64;
        let (expected, spread) = (rows as f64 * q, rows as f64 * q * (1.0 - q));
        // Five standard errors each.
        assert!((mean - expected).abs() < 5.0 * (spread / steps as f64).sqrt(), "{mean}");
        assert!((variance - spread).abs() < 5.0 * spread * (2.0 / steps as f64).sqrt(), "{variance}");
    }
}

#[test]
fn certain_and_impossible_dropout() {
    for (q, dropped) in [(0.0, 0), (1.0, 9)] {
        for objective in objectives(q) {
            for step in 0..20 {
                assert_eq!(count(&draw_any(&objective, &Streams::new(3), step, [9, 1, 1, 1])), dropped);
            }
        }
    }
}
