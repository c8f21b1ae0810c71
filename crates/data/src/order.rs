//! In which order an epoch goes through a dataset.

use crate::dataset::{Blocks, Dataset};
use crate::random;

/// The order of `epoch`: every index once, keyed by (seed, epoch).
///
/// A dataset without blocks comes in a uniform permutation. One with blocks comes in a permutation of its
/// blocks, as many at a time as the dataset holds in memory, and the samples of those in a permutation: each
/// block is then unpacked once an epoch, and samples are mixed as far as memory reaches.
pub fn of_epoch(dataset: &dyn Dataset, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = random::keyed(seed, "data order", epoch);
    let Some(Blocks { ranges, window }) = dataset.blocks() else {
        return random::permutation(&mut rng, dataset.len());
    };
    let mut order = Vec::with_capacity(dataset.len());
    for blocks in random::permutation(&mut rng, ranges.len()).chunks(window.max(1)) {
        let together: Vec<usize> = blocks.iter().flat_map(|&block| ranges[block].clone()).collect();
        order.extend(random::permutation(&mut rng, together.len()).into_iter().map(|i| together[i]));
    }
    order
}
