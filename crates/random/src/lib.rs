#![doc = include_str!("../README.md")]

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// The generator of stream `name` at `step`: ChaCha8 with the key `seed ‖ FNV-1a-128(name) ‖ 0`, and the step as its stream. It depends on `(seed, name, step)` and nothing else.
pub fn keyed(seed: u64, name: &str, step: u64) -> ChaCha8Rng {
    // Key: the seed and a 128-bit FNV-1a hash of the name, so that two streams never share a key.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in name.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..24].copy_from_slice(&hash.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(step);
    rng
}

/// The generator of sample `index` in `epoch`: a part of [`keyed`]`(seed, name, epoch)` of its own, 2²⁴ words
/// long.
pub fn of_sample(seed: u64, name: &str, epoch: u64, index: usize) -> ChaCha8Rng {
    let mut rng = keyed(seed, name, epoch);
    rng.set_word_pos((index as u128) << 24);
    rng
}

/// A uniform draw in [0, 1) with 53 bits.
pub fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A uniform draw in the open interval (0, 1), in f64 with 53 bits.
pub fn open_unit(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
}

/// A uniform draw in `0..bound`, without bias (Lemire, arXiv 1805.10941).
///
/// # Panics
/// If `bound` is 0.
pub fn below(rng: &mut impl Rng, bound: usize) -> usize {
    assert!(bound > 0, "no number is below 0");
    let bound = bound as u64;
    // Products whose low half falls below 2⁶⁴ mod bound would favour some results: draw again.
    let biased = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= biased {
            return (product >> 64) as usize;
        }
    }
}

/// A uniform permutation of `0..count` (Fisher–Yates).
pub fn permutation(rng: &mut impl Rng, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, below(rng, last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_name_and_step_only() {
        let draw = |seed, name, step| keyed(seed, name, step).next_u64();
        assert_eq!(draw(1, "a", 2), draw(1, "a", 2));
        for other in [draw(2, "a", 2), draw(1, "b", 2), draw(1, "a", 3)] {
            assert_ne!(draw(1, "a", 2), other);
        }
    }

    #[test]
    fn bounded_draws_are_uniform() {
        let mut rng = keyed(0, "test", 0);
        let mut counts = [0usize; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7)] += 1;
        }
        // Pearson's χ² with 6 degrees of freedom: above 27.9 once in ten thousand.
        let chi2: f64 = counts.iter().map(|&c| (c as f64 - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi2 < 27.9, "{counts:?}");
    }

    #[test]
    fn every_permutation_of_three_is_as_likely() {
        let mut rng = keyed(0, "test", 1);
        let mut counts = std::collections::BTreeMap::<Vec<usize>, usize>::new();
        for _ in 0..6_000 {
            *counts.entry(permutation(&mut rng, 3)).or_default() += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&c| (850..1150).contains(&c)), "{counts:?}");
    }
}
