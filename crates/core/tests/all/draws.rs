//! The random numbers of a step: every setting of an objective reaches them.

use meanflow_core::{
    Streams,
    objective::MeanFlowConfig,
    time::{Pairing, Split, TimeLaw, TimeSampler},
};
use proptest::prelude::*;

use crate::common::{LAW, cases, draw, meanflow};

const SHAPE: [usize; 4] = [40, 2, 1, 3];

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn noise_and_times_are_those_of_their_streams(
        second in prop::option::of(Just(TimeLaw::LogitNormal { mean: -4.0, std: 1.6 })),
        sorted: bool,
        prefix: bool,
        share in 0.0f64..=1.0,
        seed: u64,
        step: u64,
    ) {
        let pairing = if sorted { Pairing::V0 } else { Pairing::V1 };
        let split = if prefix { Split::Prefix } else { Split::Random };
        let config = MeanFlowConfig { pairing, split, time_r: second, label_dropout: 0.5, ..meanflow(share) };
        let streams = Streams::new(seed);
        let draws = draw(&config, &streams, step, SHAPE);
        prop_assert_eq!(&draws.noise, &streams.normal("noise", step, 240));
        let sampler = TimeSampler { t: LAW, r: second.unwrap_or(LAW), pairing, share, split };
        prop_assert_eq!(&draws.times, &sampler.draw(&streams, step, 40));
        // Dropout has a stream of its own.
        let without = draw(&MeanFlowConfig { label_dropout: 0.0, ..config }, &streams, step, SHAPE);
        prop_assert_eq!((without.noise, without.times), (draws.noise, draws.times));
        prop_assert_eq!(without.dropped, vec![false; 40]);
    }
}

/// The second law moves `r` alone where pairs are not sorted.
#[test]
fn the_law_of_the_second_time() {
    let config = MeanFlowConfig { pairing: Pairing::V1, ..meanflow(1.0) };
    let draw = |time_r| {
        let config = MeanFlowConfig { time_r, ..config.clone() };
        draw(&config, &Streams::new(1), 0, [4000, 1, 1, 1])
    };
    let mean_r = |time_r| draw(time_r).times.r.iter().sum::<f32>() / 4000.0;
    assert_eq!(draw(None), draw(Some(LAW)));
    // By quadrature: E min of two draws of the law is 0.301, of one of it and one around −4 0.028.
    assert!((mean_r(None) - 0.301).abs() < 0.015, "{}", mean_r(None));
    let early = mean_r(Some(TimeLaw::LogitNormal { mean: -4.0, std: 1.0 }));
    assert!((early - 0.028).abs() < 0.003, "{early}");
}

/// A step's numbers depend on the step, not on the steps before it.
#[test]
fn steps_stand_alone() {
    let config = meanflow(0.5);
    let later = draw(&config, &Streams::new(5), 1000, SHAPE);
    assert_ne!(draw(&config, &Streams::new(5), 999, SHAPE), later);
    assert_eq!(draw(&config, &Streams::new(5), 1000, SHAPE), later);
}
