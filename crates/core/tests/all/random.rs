//! Streams: which numbers, and that nothing but seed, name and step decides.

use chacha20::rand_core::Rng;
use meanflow_core::{Streams, random::open_unit};
use proptest::prelude::*;

use crate::common::cases;

/// ChaCha8 with the key `seed ‖ FNV-1a-128(name) ‖ 0` and the step as nonce, from another implementation.
#[test]
fn known_numbers() {
    let cases: [(u64, &str, u64, [u64; 3], u64); 3] = [
        (0, "noise", 0, [0x6b5d421ab8319b1a, 0xa6fe68ff0f233f82, 0x4245e5db31b4e5ce], 0x03a030ad9b4fd8bb),
        (42, "time-t", 3, [0xd8ccda96f95ec4f2, 0x85cf3af296edf0ba, 0x2fe13fbdfa09d4f3], 0x777cf423393a81a6),
        (
            u64::MAX,
            "label-dropout",
            (1 << 40) + 5,
            [0x5b91b23cb769e708, 0x3ed946677e133e9a, 0x4fe54ecaf790fbab],
            0x4cfc000521ff3548,
        ),
    ];
    for (seed, name, step, first, ninth) in cases {
        let mut rng = Streams::new(seed).rng(name, step);
        let numbers: Vec<u64> = (0..9).map(|_| rng.next_u64()).collect();
        assert_eq!(numbers[..3], first, "{seed} {name} {step}");
        // The first of the second block.
        assert_eq!(numbers[8], ninth, "{seed} {name} {step}");
    }
}

#[test]
fn moments_of_normals() {
    let count = 200_000;
    let draws = Streams::new(7).normal("noise", 0, count);
    let moment = |k: i32| draws.iter().map(|&x| f64::from(x).powi(k)).sum::<f64>() / count as f64;
    // Five standard errors: √(1/n), √(2/n), √(15/n), √(96/n).
    for (k, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0f64)] {
        let tolerance = 5.0 * (variance / count as f64).sqrt();
        let found = moment(k);
        assert!((found - expected).abs() < tolerance, "moment {k}: {found}");
    }
}

#[test]
fn uniforms_fill_the_open_interval() {
    let mut rng = Streams::new(1).rng("u", 0);
    let count = 100_000;
    let draws: Vec<f64> = (0..count).map(|_| open_unit(&mut rng)).collect();
    assert!(draws.iter().all(|&u| u > 0.0 && u < 1.0));
    let mean = draws.iter().sum::<f64>() / count as f64;
    let square = draws.iter().map(|u| u * u).sum::<f64>() / count as f64;
    assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / count as f64).sqrt(), "{mean}");
    assert!((square - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45.0 / count as f64).sqrt(), "{square}");
}

/// Neighbouring steps and names are as independent as any two streams.
#[test]
fn neighbouring_streams_are_uncorrelated() {
    let count = 50_000;
    let streams = Streams::new(3);
    let base = streams.normal("noise", 10, count);
    let others = [
        streams.normal("noise", 11, count),
        streams.normal("noisf", 10, count),
        Streams::new(4).normal("noise", 10, count),
    ];
    for other in others {
        let product = base.iter().zip(&other).map(|(a, b)| f64::from(a * b)).sum::<f64>() / count as f64;
        assert!(product.abs() < 5.0 / (count as f64).sqrt(), "{product}");
    }
}

proptest! {
    #![proptest_config(cases(32))]

    /// What else was drawn, and in which order, does not matter; more draws only add to fewer.
    #[test]
    fn a_stream_stands_alone(seed: u64, step in 0u64..u64::MAX, order: bool, count in 1usize..40) {
        let streams = Streams::new(seed);
        let alone = streams.normal("a", step, count);
        let [first, second] = if order { ["a", "b"] } else { ["b", "a"] };
        let (one, two) = (streams.normal(first, step, count + 7), streams.normal(second, step, count + 7));
        let again = if order { one } else { two };
        prop_assert_eq!(&again[..count], &alone[..]);
        prop_assert_eq!(streams, Streams::new(seed));
        prop_assert_ne!(&streams.normal("b", step, count), &alone);
        prop_assert_ne!(&streams.normal("a", step + 1, count), &alone);
        prop_assert_ne!(&Streams::new(seed.wrapping_add(1)).normal("a", step, count), &alone);
    }
}
