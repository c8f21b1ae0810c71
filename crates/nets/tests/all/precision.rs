//! Activations in bfloat16 against f64.

use burn::{
    backend::Flex,
    module::{AutodiffModule, Module, ModuleVisitor, Param},
    tensor::{DType, Tensor, backend::AutodiffBackend},
};
use meanflow_core::{
    Condition, Streams,
    objective::{At, Batch, Derivative, Direction, MeanFlowConfig, Nets, Objective},
    precision::Precision,
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use meanflow_nets::{Net, NetConfig};

use crate::common::{Train, device, networks, normal, random_net};

struct Gradients<'a, B: AutodiffBackend>(&'a B::Gradients, Vec<f64>);

impl<B: AutodiffBackend> ModuleVisitor<B> for Gradients<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let value = param.val();
        let Some(gradient) = value.grad(self.0) else { return };
        assert_eq!(gradient.dtype(), DType::F64, "a gradient in the numbers of its weight");
        self.1.extend(gradient.into_data().iter::<f64>());
    }
}

/// Squared errors of still and moved rows, and all gradients.
fn measure(net: &Net<Train, NetConfig>, batch: Batch<Flex>, objective: &MeanFlowConfig) -> [Vec<f64>; 3] {
    let draws = objective.draw(&At::new(&Streams::new(1), 0, 1), batch.x.dims());
    let nets = Nets { online: net, frozen: &net.valid(), teachers: &[] };
    let out = objective.loss::<Train, _, _>(&nets, batch, &draws);
    let squared = out.measure("raw").expect("MeanFlow measures its error");
    let squared: Vec<f64> = squared.into_data().iter().collect();
    let (still, moved) = squared.split_at(draws.times.still);
    let tape = out.loss.backward();
    let mut gradients = Gradients::<Train>(&tape, Vec::new());
    net.visit(&mut gradients);
    [still.to_vec(), moved.to_vec(), gradients.1]
}

/// `‖a − b‖/‖b‖`.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

#[test]
fn still_rows_alone_are_rounded_and_gradients_stay_close() {
    let device = device();
    let objective = MeanFlowConfig {
        time: TimeLaw::Uniform,
        time_r: None,
        pairing: Pairing::V0,
        share: 0.5,
        split: Split::Prefix,
        weight: Weight { p: 0.0, eps: 1e-3 },
        label_dropout: 0.0,
        guidance: None,
        derivative: Derivative::Jvp,
        tangent: Direction::FLOW,
    };
    for (config, shape, classes) in networks() {
        let net: Net<Train, NetConfig> = random_net(&config, shape, classes, &device);
        let [c, h, w] = shape;
        let batch = |precision| Batch {
            x: normal::<Flex, 4>("data", 0, [8, c, h, w], &device) * 0.5,
            labels: classes
                .and(Condition::<Flex>::labels(Tensor::from_ints([0, 1, 2, 0, 1, 2, 0, 1], &device)).labels),
            augment: Some(normal("augment", 0, [8, 2], &device)),
            precision,
        };
        let [full_still, full_moved, full] = measure(&net, batch(Precision::Full), &objective);
        let [half_still, half_moved, half] = measure(&net, batch(Precision::Bf16), &objective);
        assert_eq!(full_moved, half_moved, "{config:?}: rows with a derivative are not rounded");
        // bfloat16 has eight bits: a unit in the last place is 2⁻⁸, 0.4 %.
        let rows = distance(&half_still, &full_still);
        assert!(rows > 0.0 && rows < 0.03, "{config:?}: errors differ by {rows}");
        let gradients = distance(&half, &full);
        assert!(gradients > 0.0 && gradients < 0.03, "{config:?}: gradients differ by {gradients}");
    }
}
