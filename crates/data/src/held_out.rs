//! A deterministic split of a finite set: most samples to train on, some set aside to score against.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dataset::{Blocks, Dataset, Field, View, read_rows};
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

    /// As [`split`](Self::split), but samples of one group stay together: sets whole groups aside, in a keyed
    /// order that depends on the number of groups alone, until there are `round(fraction · len)` samples or
    /// more. `group_of` gives each sample's group, below the number of groups.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn split_groups(
        whole: Arc<dyn Dataset>,
        fraction: f64,
        group_of: &[usize],
    ) -> Result<Arc<dyn Dataset>, DataError> {
        check(fraction)?;
        let count = (fraction * whole.len() as f64).round() as usize;
        if count == 0 {
            return Ok(whole);
        }
        let groups = group_of.iter().max().map_or(0, |&group| group + 1);
        let mut sizes = vec![0; groups];
        group_of.iter().for_each(|&group| sizes[group] += 1);
        let mut is_aside = vec![false; groups];
        let mut taken = 0;
        for group in random::permutation(&mut random::keyed(0, "split", 0), groups) {
            if taken >= count {
                break;
            }
            is_aside[group] = true;
            taken += sizes[group];
        }
        let (aside, kept): (Vec<usize>, Vec<usize>) =
            (0..whole.len()).partition(|&index| is_aside[group_of[index]]);
        DataError::require(!kept.is_empty(), "held-out", fraction, "leaves no sample to train on")?;
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

/// Number of `items` to score against: those set aside, or all if none are.
pub(crate) fn to_compare_with(items: usize, fraction: f64) -> usize {
    match items - kept(items, fraction) {
        0 => items,
        aside => aside,
    }
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

    fn read_view(&self, index: usize, view: View, sample: &mut [f32]) -> Result<(), DataError> {
        self.whole.read_view(self.kept[index], view, sample)
    }

    /// Those of the whole set, each without what was set aside.
    fn blocks(&self) -> Option<Blocks> {
        let Blocks { ranges, window } = self.whole.blocks()?;
        let before = |end: usize| self.kept.partition_point(|&index| index < end);
        let ranges = ranges
            .into_iter()
            .map(|range| before(range.start)..before(range.end))
            .filter(|range| !range.is_empty())
            .collect();
        Some(Blocks { ranges, window })
    }

    fn fields(&self) -> Vec<Field> {
        self.whole.fields()
    }

    fn read_field(&self, field: usize, index: usize, values: &mut [f32]) -> Result<(), DataError> {
        self.whole.read_field(field, self.kept[index], values)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.whole.label(self.kept[index])
    }

    /// The digest of the whole set: it names the data, the split follows from the config.
    fn digest(&self) -> String {
        self.whole.digest()
    }

    fn held_out(&self, count: usize, draw: u64) -> Result<Option<Vec<f32>>, DataError> {
        if self.aside.is_empty() {
            return Ok(None);
        }
        let order = random::permutation(&mut random::keyed(0, "held-out", 0), self.aside.len());
        let before = count.saturating_mul(draw.saturating_sub(1) as usize);
        let dealt = order.into_iter().skip(before).take(count);
        read_rows(&*self.whole, dealt.map(|index| self.aside[index])).map(Some)
    }

    fn passed_over(&self) -> BTreeMap<String, usize> {
        self.whole.passed_over()
    }

    fn set_aside(&self) -> Option<Arc<dyn Dataset>> {
        let (whole, kept) = (self.whole.clone(), self.aside.clone());
        (!kept.is_empty()).then(|| Arc::new(Self { whole, kept, aside: Vec::new() }) as Arc<dyn Dataset>)
    }
}
