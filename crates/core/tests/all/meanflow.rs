//! The split loss against the paper's algorithm over all rows, values and gradients.

use meanflow_core::{
    Streams,
    objective::{Derivative, GuidanceConfig, MeanFlowConfig},
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use proptest::prelude::*;

use crate::{
    common::{B, LAW, assert_close, batch, cases, draw, loss, meanflow, values},
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
        };
        compare(&config, rows, seed);
    }
}
