//! Keyed random choices. Every purpose has a stream of its own, so that under one seed no two choices are the same.

use chacha20::{ChaCha8Rng, rand_core::SeedableRng};

/// What is drawn: a stream of ChaCha8 under the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Draw {
    /// The samples to score.
    Samples = 0,
    /// As many real ones.
    Real = 1,
    /// Halves of the samples.
    Halves = 2,
    /// As many samples as there are real ones.
    Fewer = 3,
    /// Rows that a bandwidth is taken of.
    Bandwidth = 4,
    /// Real samples that are scored in place of samples.
    Floor = 5,
}

impl Draw {
    /// The generator.
    pub(crate) fn rng(self, seed: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(self as u64);
        rng
    }

    /// `n` of `all` indices without replacement, rising, or all of them.
    ///
    /// # Panics
    /// If `n` is larger than `all`.
    pub(crate) fn choice(self, all: usize, n: usize, seed: u64) -> Vec<usize> {
        if n == all {
            return (0..all).collect();
        }
        let mut chosen = rand::seq::index::sample(&mut self.rng(seed), all, n).into_vec();
        chosen.sort_unstable();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_for_different_ends_differ() {
        let of = |draw: Draw| draw.choice(1000, 10, 7);
        let all =
            [Draw::Samples, Draw::Real, Draw::Halves, Draw::Fewer, Draw::Bandwidth, Draw::Floor].map(of);
        for (index, chosen) in all.iter().enumerate() {
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]) && chosen.len() == 10);
            assert!(!all[..index].contains(chosen), "{all:?}");
        }
        assert_eq!(of(Draw::Real), of(Draw::Real));
        assert_eq!(Draw::Real.choice(3, 3, 0), [0, 1, 2]);
    }
}
