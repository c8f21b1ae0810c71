//! The split loss against the paper's algorithm over all rows, values and gradients.

use burn::{
    backend::Flex,
    module::{AutodiffModule, Module},
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{
    Backbone, Clock, Condition, Streams,
    interpolant::{linear_path, per_row, squared_norm},
    objective::{Derivative, Direction, GuidanceConfig, MeanFlowConfig},
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use proptest::prelude::*;

use crate::{
    common::{B, LAW, assert_close, batch, cases, draw, loss, meanflow, tensor, values},
    naive,
    network::{CLASSES, Net, SAMPLE, parameters},
};

/// Everything that the loss returns, and its gradient, against the naive implementation.
fn compare(config: &MeanFlowConfig, rows: usize, seed: u64) {
    let shape = [rows, SAMPLE[0], SAMPLE[1], SAMPLE[2]];
    let net = Net::<B>::new(&parameters(seed));
    let batch = batch(shape, CLASSES, seed + 1);
    let draws = draw(config, &Streams::new(seed), 2, shape);
    let step = loss(config, &net, batch.clone(), &draws);
    let naive = naive::step(&net, &batch, &draws, config.weight, config.guidance.as_ref());
    let close = |name: &str, found: &[f64], expected: &[f64]| {
        assert_close(&format!("{name} of {config:?}, {rows} rows"), found, expected, 1e-12);
    };
    close("squared", &values(step.squared), &naive.squared);
    close("velocity", &values(step.velocity), &naive.velocity);
    let still = draws.times.still;
    assert_eq!(step.dudt.is_some(), still < rows);
    close("dudt", &step.dudt.map(values).unwrap_or_default(), &naive.dudt[still..]);
    close("loss", &values(step.loss.clone()), &values(naive.loss.clone()));
    close("gradient", &net.gradient(step.loss), &net.gradient(naive.loss));
}

#[test]
fn every_pairing_split_share_and_power() {
    for pairing in [Pairing::V0, Pairing::V1] {
        for split in [Split::Prefix, Split::Random] {
            for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
                for p in [0.0, 0.5, 1.0, 2.0] {
                    let mut config = meanflow(share);
                    (config.pairing, config.split) = (pairing, split);
                    (config.weight.p, config.label_dropout) = (p, 0.2);
                    compare(&config, 12, 3);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn any_configuration(
        second in prop::option::of(Just(TimeLaw::LogitNormal { mean: -2.0, std: 1.6 })),
        uniform: bool,
        sorted: bool,
        prefix: bool,
        share in 0.0f64..=1.0,
        p in 0.0f64..2.0,
        eps in 1e-3f64..1.0,
        label_dropout in 0.0f64..1.0,
        // Sixteenths are exact in f32, the type of coefficients on the device.
        guidance in prop::option::of((0u8..80, 0u8..16, 0u8..8, 8u8..=16)),
        rows in 1usize..10,
        seed in 0u64..1000,
    ) {
        let sixteenths = |n: u8| f64::from(n) / 16.0;
        let config = MeanFlowConfig {
            time: if uniform { TimeLaw::Uniform } else { LAW },
            time_r: second,
            pairing: if sorted { Pairing::V0 } else { Pairing::V1 },
            share,
            split: if prefix { Split::Prefix } else { Split::Random },
            weight: Weight { p, eps },
            label_dropout,
            guidance: guidance.map(|(omega, kappa, start, end)| GuidanceConfig {
                omega: sixteenths(omega),
                kappa: sixteenths(kappa),
                interval: [sixteenths(start), sixteenths(end)],
            }),
            derivative: Derivative::Jvp,
            tangent: Direction::FLOW,
        };
        compare(&config, rows, seed);
    }
}

/// A network that is told two numbers of a clock.
#[derive(Module, Debug)]
struct Told<B: Backend> {
    net: Net<B>,
    #[module(skip)]
    clock: Clock,
}

impl<B: Backend> Backbone<B> for Told<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let [first, second] = self.clock.numbers(r, t).try_into().expect("two numbers");
        self.net.forward(z, second, first, condition)
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }
}

/// In each direction of `(z, r, t)` the target has the five-point difference of the network along it, whatever it is told of its times
/// and however the derivative is taken.
#[test]
fn every_tangent_is_a_difference_along_it() {
    let shape = [6, SAMPLE[0], SAMPLE[1], SAMPLE[2]];
    let data = batch(shape, CLASSES, 6);
    let weight = Weight { p: 0.0, eps: 1.0 };
    let ways = [
        (Derivative::Jvp, 1e-8),
        (Derivative::Central { step: 1e-4 }, 1e-6),
        (Derivative::Backward { step: 1e-6 }, 1e-4),
        (Derivative::Mixed { step: 1e-6 }, 1e-4),
    ];
    for clock in [Clock::TimeAndGap, Clock::BothTimes] {
        let net = Told { net: Net::<B>::new(&parameters(3)), clock };
        let mut losses = Vec::new();
        for (name, tangent) in Direction::ALL {
            let config = |derivative| MeanFlowConfig { weight, tangent, derivative, ..meanflow(0.5) };
            let draws = draw(&config(Derivative::Jvp), &Streams::new(9), 1, shape);
            let host = |values: &[f32]| values.iter().map(|&value| value.into()).collect::<Vec<f64>>();
            let column = |times: &[f32]| tensor::<Flex, 1>(&host(times), [6]);
            let (t, r) = (column(&draws.times.t), column(&draws.times.r));
            let path = linear_path(data.x.clone(), tensor(&host(&draws.noise), shape), t.clone());
            let condition = Condition::labels(data.labels.clone().expect("labels"));
            let frozen = net.valid();
            let u = |steps: f64| {
                let h = 1e-3 * steps;
                let time = |time: &Tensor<Flex, 1>, moves: bool| time.clone() + if moves { h } else { 0.0 };
                let z = path.z.clone() + path.v.clone() * h;
                frozen.forward(z, time(&r, tangent.r), time(&t, tangent.t), &condition)
            };
            let slope = ((u(1.0) - u(-1.0)) * 8.0 - (u(2.0) - u(-2.0))) / 12e-3;
            let target = path.v.clone() - slope * per_row(t.clone() - r.clone());

            let condition = Condition::labels(Tensor::from_inner(data.labels.clone().expect("labels")));
            let lift = Tensor::<B, 1>::from_inner;
            let u = net.forward(Tensor::from_inner(path.z.clone()), lift(r), lift(t), &condition);
            let expected = squared_norm(u - Tensor::from_inner(target)).mean();
            let (expected, gradient) = (values(expected.clone()), net.net.gradient(expected));
            for (derivative, tolerance) in ways {
                let found = loss(&config(derivative), &net, data.clone(), &draws).loss;
                let name = format!("{name} told {clock:?}, {derivative:?}");
                assert_close(&name, &values(found.clone()), &expected, tolerance);
                assert_close(&name, &net.net.gradient(found), &gradient, tolerance);
            }
            losses.push(expected[0]);
        }
        losses.sort_by(f64::total_cmp);
        assert!(losses.windows(2).all(|pair| pair[1] - pair[0] > 1e-3), "as good as equal: {losses:?}");
    }
}
