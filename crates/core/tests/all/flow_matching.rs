//! MeanFlow without moved rows is flow matching, to the bit.

use meanflow_core::{
    Streams,
    objective::{Coupling, FlowMatchingConfig, ObjectiveConfig, Objectives},
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};

use crate::{
    common::{B, LAW, batch, bits, draw_any, loss_any, meanflow, values},
    network::{CLASSES, Net, SAMPLE, parameters},
};

const SHAPE: [usize; 4] = [13, SAMPLE[0], SAMPLE[1], SAMPLE[2]];

#[test]
fn share_zero_is_flow_matching_to_the_bit() {
    let streams = Streams::new(4);
    let net = Net::<B>::new(&parameters(7));
    for (pairing, split) in [(Pairing::V0, Split::Prefix), (Pairing::V1, Split::Random)] {
        for (p, label_dropout, time) in
            [(0.0, 0.0, LAW), (0.5, 0.3, TimeLaw::Uniform), (1.0, 0.1, LAW), (2.0, 1.0, LAW)]
        {
            let weight = Weight { p, eps: 0.01 };
            let plain = ObjectiveConfig::FlowMatching(FlowMatchingConfig {
                time,
                weight,
                label_dropout,
                coupling: Coupling::Off,
            });
            let mut moving = meanflow(0.0);
            (moving.pairing, moving.split, moving.time) = (pairing, split, time);
            // The law of the second draw has no say where there is none.
            moving.time_r = Some(TimeLaw::LogitNormal { mean: -4.0, std: 1.6 });
            (moving.weight, moving.label_dropout) = (weight, label_dropout);
            let moving = ObjectiveConfig::MeanFlow(moving);
            for step in [0, 3] {
                let draws = draw_any(&plain, &streams, step, SHAPE);
                assert_eq!(draws, draw_any(&moving, &streams, step, SHAPE));
                let [a, b] = [&plain, &moving].map(|objective| {
                    let out = loss_any(objective, &net, batch(SHAPE, CLASSES, step), &draws);
                    assert!(out.dudt.is_none());
                    let numbers =
                        [values(out.loss.clone()), values(out.squared), values(out.velocity)].concat();
                    [bits(&numbers), bits(&net.gradient(out.loss))]
                });
                assert_eq!(a, b, "{pairing:?}, p = {p}, step {step}");
            }
        }
    }
}

#[test]
fn names_of_objectives() {
    let names: Vec<&str> = ObjectiveConfig::NAMES.iter().map(|(name, _)| *name).collect();
    assert_eq!(names[..3], ["flow-matching", "meanflow", "imf"]);
    assert_eq!(ObjectiveConfig::MeanFlow(meanflow(0.5)).name(), "meanflow");
}
