//! One-point data `x = μ`: the flow is straight, `v = (z − μ)/t`, `u = v`, `du/dt = 0`, and a wrong `μ` has a loss in
//! closed form.

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::precision::Precision;
use meanflow_core::{
    Backbone, Condition, Streams,
    interpolant::per_row,
    objective::{Batch, Draws, MeanFlowConfig},
    time::{Pairing, Split},
    weight::Weight,
};

use crate::common::{self, B, Device, Step, assert_close, draw, ints, meanflow, tensor, values};

const MU: [f64; 4] = [0.25, -0.5, 0.75, 0.125];
const SHAPE: [usize; 4] = [24, 2, 1, 2];

/// `u(z, r, t) = (z − μ)/t`.
#[derive(Module, Debug)]
struct Point<B: Backend> {
    mu: Param<Tensor<B, 4>>,
}

impl<B: Backend<Device = Device>> Point<B> {
    fn new(mu: [f64; 4]) -> Self {
        Self { mu: Param::from_tensor(tensor(&mu, [1, 2, 1, 2])) }
    }
}

impl<B: Backend> Backbone<B> for Point<B> {
    fn forward(&self, z: Tensor<B, 4>, _: Tensor<B, 1>, t: Tensor<B, 1>, _: &Condition<B>) -> Tensor<B, 4> {
        (z - self.mu.val()) / per_row(t)
    }

    fn classes(&self) -> Option<usize> {
        None
    }
}

/// Loss and gradient with respect to `μ`. An unconditional network ignores labels.
fn loss(net: &Point<B>, objective: &MeanFlowConfig, draws: &Draws) -> (Step, Vec<f64>) {
    let x = tensor::<Flex, 4>(&MU, [1, 2, 1, 2]).repeat_dim(0, SHAPE[0]);
    let batch = Batch { x, labels: Some(ints(&[0; SHAPE[0]])), augment: None, precision: Precision::Full };
    let step = common::loss(objective, net, batch, draws);
    let gradient = values(net.mu.grad(&step.loss.backward()).expect("a gradient"));
    (step, gradient)
}

fn objectives() -> Vec<MeanFlowConfig> {
    let mut all = Vec::new();
    for (pairing, split, share) in [
        (Pairing::V0, Split::Prefix, 0.0),
        (Pairing::V0, Split::Prefix, 0.5),
        (Pairing::V1, Split::Random, 0.5),
        (Pairing::V0, Split::Random, 1.0),
    ] {
        let mut objective = meanflow(share);
        (objective.pairing, objective.split) = (pairing, split);
        all.push(objective);
    }
    all
}

#[test]
fn the_true_field_has_no_loss() {
    let net = Point::new(MU);
    for objective in objectives() {
        let draws = draw(&objective, &Streams::new(1), 0, SHAPE);
        let (step, gradient) = loss(&net, &objective, &draws);
        assert_eq!(step.dudt.is_none(), draws.times.still == SHAPE[0]);
        let mut small = values(step.loss);
        small.extend(values(step.squared));
        small.extend(values(step.velocity));
        small.extend(step.dudt.map(values).unwrap_or_default());
        assert!(small.iter().all(|&value| (0.0..1e-20).contains(&value)), "{objective:?}: {small:?}");
        assert!(gradient.iter().all(|value| value.abs() < 1e-9), "{objective:?}: {gradient:?}");
    }
}

/// With `μ + δ` in place of `μ`: `u = v − δ/t`, `du/dt = δ/t²` along the true `v`, so `u − u_tgt = −δ·r/t²`, whose gradient
/// with a frozen target is `∂u/∂μ = −1/t` times that.
#[test]
fn a_wrong_field_has_the_loss_of_the_closed_form() {
    let delta = [0.1, -0.2, 0.05, 0.3];
    let norm: f64 = delta.iter().map(|d| d * d).sum();
    let net = Point::new(std::array::from_fn(|i| MU[i] + delta[i]));
    for mut objective in objectives() {
        objective.weight = Weight { p: 0.0, eps: 1.0 };
        let draws = draw(&objective, &Streams::new(2), 5, SHAPE);
        let times: Vec<(f64, f64)> =
            draws.times.t.iter().zip(&draws.times.r).map(|(&t, &r)| (f64::from(t), f64::from(r))).collect();
        let rows = |f: &dyn Fn(f64, f64) -> f64| times.iter().map(|&(t, r)| f(t, r)).collect::<Vec<_>>();
        let (step, gradient) = loss(&net, &objective, &draws);
        assert_close("squared", &values(step.squared), &rows(&|t, r| norm * r * r / t.powi(4)), 1e-10);
        assert_close("velocity", &values(step.velocity), &rows(&|t, _| norm / (t * t)), 1e-10);
        if let Some(dudt) = step.dudt {
            let expected = rows(&|t, _| norm / t.powi(4));
            assert_close("dudt", &values(dudt), &expected[draws.times.still..], 1e-10);
        }
        let mean = |terms: Vec<f64>| terms.iter().sum::<f64>() / SHAPE[0] as f64;
        let expected = mean(rows(&|t, r| norm * r * r / t.powi(4)));
        assert_close("loss", &values(step.loss), &[expected], 1e-10);
        let slope = mean(rows(&|t, r| 2.0 * r / t.powi(3)));
        assert_close("gradient", &gradient, &delta.map(|d| slope * d), 1e-10);
    }
}
