//! Dropout whose masks come from the run's random streams.

use burn::tensor::{Bool, Tensor, TensorData, backend::Backend};
use chacha20::rand_core::Rng;

use crate::{Streams, precision::typed_as};

/// The dropout masks of one training step, keyed by seed, layer name, step and row of the batch.
///
/// A mask is a constant of the step: forward passes with the same key share it, and so do a primal and its tangent. A row's
/// mask does not depend on the rows beside it, so a batch may be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropout {
    streams: Streams,
    step: u64,
    /// Rows that stay together; number of the first group, and distance to the next.
    group: usize,
    first: usize,
    stride: usize,
    /// Rows of these that are left out in front.
    skipped: usize,
}

impl Dropout {
    /// The masks of `step`.
    pub fn new(streams: &Streams, step: u64) -> Self {
        Self { streams: *streams, step, group: 1, first: 0, stride: 1, skipped: 0 }
    }

    /// The masks of the rows from `start` on.
    pub fn rows(self, start: usize) -> Self {
        Self { skipped: self.skipped + start, ..self }
    }

    /// The masks of rows `index`, `index + parts`, `index + 2·parts`, ….
    pub fn part(self, index: usize, parts: usize) -> Self {
        let first = self.first + (self.skipped + index) * self.stride;
        Self { first, stride: self.stride * parts, skipped: 0, ..self }
    }

    /// The masks of groups `index`, `index + parts`, … of the rows of a whole batch; a group is `group` rows.
    pub fn groups(self, group: usize, index: usize, parts: usize) -> Self {
        Self { group, ..self }.part(index, parts)
    }

    /// The row of the batch that is number `row` here.
    fn row(&self, row: usize) -> usize {
        let row = self.skipped + row;
        (self.first + row / self.group * self.stride) * self.group + row % self.group
    }

    /// `x·m/(1 − p)` with `m ~ Bernoulli(1 − p)` for each element of `x`, `[batch, …]`; `layer` names the mask.
    ///
    /// The probability is rounded to a multiple of 2⁻¹⁶.
    ///
    /// # Panics
    /// If `p` is not in [0, 1).
    pub fn apply<B: Backend, const D: usize>(&self, layer: &str, x: Tensor<B, D>, p: f64) -> Tensor<B, D> {
        assert!((0.0..1.0).contains(&p), "a dropout probability lies in [0, 1), not {p}");
        let shape = x.dims();
        let keep = self.mask(layer, shape[0], shape.iter().skip(1).product(), p);
        let mask = Tensor::<B, D, Bool>::from_data(TensorData::new(keep, shape), &x.device());
        let mask = typed_as(mask.float() * (1.0 / (1.0 - p)), &x);
        x * mask
    }

    /// Which of `rows` × `elements` values stay, row-major.
    fn mask(&self, layer: &str, rows: usize, elements: usize, p: f64) -> Vec<bool> {
        const HALVES: f64 = 65_536.0;
        let threshold = (p * HALVES).round() as u32;
        // Two values a 32-bit word; a row starts at a word of its own.
        let words = elements.div_ceil(2);
        let mut rng = self.streams.rng(&format!("dropout/{layer}"), self.step);
        let mut keep = Vec::with_capacity(rows * elements);
        for row in 0..rows {
            rng.set_word_pos(self.row(row) as u128 * words as u128);
            for _ in 0..words {
                let word = rng.next_u32();
                keep.extend([word & 0xffff >= threshold, word >> 16 >= threshold]);
            }
            keep.truncate((row + 1) * elements);
        }
        keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    fn mask(seed: u64, layer: &str, step: u64, rows: usize, elements: usize) -> Vec<bool> {
        Dropout::new(&Streams::new(seed), step).mask(layer, rows, elements, 0.2)
    }

    #[test]
    fn a_mask_depends_on_seed_layer_and_step() {
        let first = mask(0, "a", 0, 4, 50);
        assert_eq!(first, mask(0, "a", 0, 4, 50));
        for other in [mask(1, "a", 0, 4, 50), mask(0, "b", 0, 4, 50), mask(0, "a", 1, 4, 50)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_row_has_its_own_mask_however_the_batch_is_split() {
        for elements in [7, 8] {
            let key = Dropout::new(&Streams::new(3), 5);
            let all = key.mask("a", 6, elements, 0.5);
            let (head, tail) = (key.mask("a", 2, elements, 0.5), key.rows(2).mask("a", 4, elements, 0.5));
            assert_eq!(all, [head, tail].concat());
            assert_eq!(key.rows(1).rows(1), key.rows(2));
            let row = |row: usize| &all[row * elements..(row + 1) * elements];
            assert_eq!(key.part(1, 2).mask("a", 3, elements, 0.5), [row(1), row(3), row(5)].concat());
            assert_eq!(key.part(1, 2).rows(1).mask("a", 1, elements, 0.5), row(3));
            assert_eq!(key.groups(2, 1, 2).mask("a", 2, elements, 0.5), [row(2), row(3)].concat());
            assert_eq!(key.groups(2, 0, 2).rows(1).mask("a", 2, elements, 0.5), [row(1), row(4)].concat());
        }
    }

    #[test]
    fn values_are_dropped_with_the_stated_probability_and_the_rest_is_scaled() {
        let count = 200_000;
        for p in [0.0, 0.13, 0.2, 0.5] {
            let kept =
                Dropout::new(&Streams::new(0), 0).mask("a", 1, count, p).iter().filter(|k| **k).count();
            // Five standard deviations.
            let expected = count as f64 * (1.0 - p);
            let bound = 5.0 * (count as f64 * p * (1.0 - p)).sqrt() + 2.0;
            assert!((kept as f64 - expected).abs() < bound, "p = {p}: {kept} of {count}");
        }
        let device = Default::default();
        let x = Tensor::<Flex, 2>::ones([3, 40], &device);
        let y: Vec<f32> = Dropout::new(&Streams::new(0), 0).apply("a", x, 0.2).into_data().to_vec().unwrap();
        let dropped = y.iter().filter(|value| **value == 0.0).count();
        assert!(dropped > 5 && y.iter().all(|value| *value == 0.0 || (value - 1.25).abs() < 1e-6));
    }
}
