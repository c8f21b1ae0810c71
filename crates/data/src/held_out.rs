//! A deterministic split of a finite set: most samples to train on, some set aside to score against.

use std::sync::Arc;

use crate::dataset::{Dataset, read_rows};
use crate::error::DataError;
use crate::random;

/// A dataset without the samples that were set aside; those are what [`Dataset::held_out`] gives.
pub struct HeldOut {
    whole: Arc<dyn Dataset>,
    kept: Vec<usize>,
    aside: Vec<usize>,
}

impl HeldOut {
    /// Sets `round(fraction · len)` samples aside, chosen by a keyed permutation that depends on the length
    /// alone: the same file is always split alike.
    ///
    /// # Errors
    /// [`DataError::Setting`] for `held-out` if the fraction is not in [0, 1) or leaves nothing to train on.
    pub fn split(whole: Arc<dyn Dataset>, fraction: f64) -> Result<Arc<dyn Dataset>, DataError> {
        check(fraction)?;
        let count = (fraction * whole.len() as f64).round() as usize;
        if count == 0 {
            return Ok(whole);
        }
        DataError::require(count < whole.len(), "held-out", fraction, "leaves no sample to train on")?;
        let mut order = random::permutation(&mut random::keyed(0, "split", 0), whole.len());
        let mut kept = order.split_off(count);
        let mut aside = order;
        kept.sort_unstable();
        aside.sort_unstable();
        Ok(Arc::new(Self { whole, kept, aside }))
    }
}

/// Checks the fraction that a `held-out` key gives.
pub(crate) fn check(fraction: f64) -> Result<(), DataError> {
    DataError::require((0.0..1.0).contains(&fraction), "held-out", fraction, "must be at least 0 and below 1")
}

/// Number of `items` left to train on.
pub(crate) fn kept(items: usize, fraction: f64) -> usize {
    items - (fraction * items as f64).round() as usize
}

impl Dataset for HeldOut {
    fn name(&self) -> &str {
        self.whole.name()
    }

    fn len(&self) -> usize {
        self.kept.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.whole.shape()
    }

    fn classes(&self) -> Option<usize> {
        self.whole.classes()
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        self.whole.read(self.kept[index], sample)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.whole.label(self.kept[index])
    }

    /// The digest of the whole set: it names the data, the split follows from the config.
    fn digest(&self) -> String {
        self.whole.digest()
    }

    fn held_out(&self, count: usize, seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        let order = random::permutation(&mut random::keyed(seed, "held-out", 0), self.aside.len());
        read_rows(&*self.whole, order.into_iter().take(count).map(|i| self.aside[i])).map(Some)
    }
}
