//! The gradient of the loss against finite differences with the target and the weight frozen.

use burn::backend::Flex;
use meanflow_core::{
    Backbone, Condition, Streams,
    objective::{GuidanceConfig, MeanFlowConfig},
    time::Split,
};

use crate::{
    common::{B, assert_close, batch, draw, loss, meanflow, values},
    naive::{self, Step},
    network::{CLASSES, Net, SAMPLE, parameters},
};

const SHAPE: [usize; 4] = [6, SAMPLE[0], SAMPLE[1], SAMPLE[2]];

/// The five-point central difference of `f` along `direction`.
fn difference(f: impl Fn(&[f64]) -> f64, at: &[f64], direction: &[f64]) -> f64 {
    const STEP: f64 = 1e-3;
    let moved = |k: f64| {
        let point: Vec<f64> = at.iter().zip(direction).map(|(a, d)| a + k * STEP * d).collect();
        f(&point)
    };
    (8.0 * (moved(1.0) - moved(-1.0)) - (moved(2.0) - moved(-2.0))) / (12.0 * STEP)
}

/// The loss as a function of the parameters of the primal alone.
fn frozen_loss(step: &Step, parameters: &[f64]) -> f64 {
    let condition = Condition::labels(step.labels.clone());
    let u = Net::<Flex>::new(parameters).forward(step.z.clone(), step.r.clone(), step.t.clone(), &condition);
    let error = values((u - step.target.clone()).powi_scalar(2));
    let elements = error.len() / step.weights.len();
    let rows = error.chunks(elements).zip(&step.weights);
    rows.map(|(row, weight)| weight * row.iter().sum::<f64>()).sum::<f64>() / step.weights.len() as f64
}

fn naive_step(config: &MeanFlowConfig, parameters: &[f64]) -> Step {
    let draws = draw(config, &Streams::new(9), 1, SHAPE);
    let net = Net::<B>::new(parameters);
    naive::step(&net, &batch(SHAPE, CLASSES, 6), &draws, config.weight, config.guidance.as_ref())
}

fn gradient(config: &MeanFlowConfig, parameters: &[f64]) -> Vec<f64> {
    let draws = draw(config, &Streams::new(9), 1, SHAPE);
    let net = Net::<B>::new(parameters);
    net.gradient(loss(config, &net, batch(SHAPE, CLASSES, 6), &draws).loss)
}

fn configs() -> Vec<MeanFlowConfig> {
    let guidance = GuidanceConfig { omega: 1.5, kappa: 0.25, interval: [0.0, 1.0] };
    let mut configs = Vec::new();
    for p in [0.0, 0.5, 1.0, 2.0] {
        for (share, split, guidance) in [
            (0.0, Split::Prefix, None),
            (0.5, Split::Prefix, None),
            (0.5, Split::Random, Some(guidance)),
            (1.0, Split::Prefix, Some(guidance)),
        ] {
            let mut config = meanflow(share);
            (config.split, config.guidance) = (split, guidance);
            (config.weight.p, config.label_dropout) = (p, 0.2);
            configs.push(config);
        }
    }
    configs
}

#[test]
fn the_gradient_flows_through_the_primal_only() {
    let parameters = parameters(21);
    for config in configs() {
        let step = naive_step(&config, &parameters);
        let mut along = vec![0.0; parameters.len()];
        let expected: Vec<f64> = (0..parameters.len())
            .map(|i| {
                along[i] = 1.0;
                let slope = difference(|at| frozen_loss(&step, at), &parameters, &along);
                along[i] = 0.0;
                slope
            })
            .collect();
        assert_close(&format!("{config:?}"), &gradient(&config, &parameters), &expected, 1e-9);
    }
}

/// The control of the test above: without stop-gradient (target, guided field and weight follow the parameters) the slope
/// is another one, unless there is nothing to stop.
#[test]
fn stop_gradient_makes_a_difference() {
    let parameters = parameters(21);
    for config in configs() {
        let gradient = gradient(&config, &parameters);
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let along: Vec<f64> = gradient.iter().map(|g| g / norm).collect();
        let whole = difference(|at| values(naive_step(&config, at).loss)[0], &parameters, &along);
        let error = (whole - norm).abs() / norm;
        if config.share == 0.0 && config.weight.p == 0.0 {
            assert!(error < 1e-9, "{config:?}: {error:e}");
        } else {
            assert!(error > 1e-2, "{config:?}: {error:e}");
        }
    }
}
