//! Resampling of images by one matrix along both axes.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{
    BLOCK,
    fresh::written,
    wide::{Loop, widest},
};

/// The entries of a matrix `[before, after]` that are not zero: for each place after, places before and their weights.
pub(super) struct Taps {
    after: Vec<Vec<(usize, f32)>>,
    before: usize,
}

impl Taps {
    pub(super) fn new(matrix: &[f32], [before, after]: [usize; 2]) -> Self {
        let taps = |column: usize| {
            (0..before)
                .map(|row| (row, matrix[row * after + column]))
                .filter(|(_, weight)| *weight != 0.0)
                .collect()
        };
        Self { after: (0..after).map(taps).collect(), before }
    }

    /// Images `[…, before, before]` to `[…, after, after]`.
    pub(super) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let (from, to) = (self.before * self.before, self.after.len() * self.after.len());
        written(x.len() / from * to, |y| {
            y.par_chunks_mut(to).zip(x.par_chunks(from)).with_min_len(BLOCK.div_ceil(from)).for_each(
                |(y, x)| {
                    widest(Image { taps: self, x, y });
                },
            );
        })
    }
}

struct Image<'a> {
    taps: &'a Taps,
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl Loop for Image<'_> {
    type Output = ();

    /// Rows first: a row after is a sum of rows before.
    #[inline(always)]
    fn run(self) {
        let Self { taps, x, y } = self;
        let mut sum = vec![0.0; taps.before];
        for (y, rows) in y.chunks_exact_mut(taps.after.len()).zip(&taps.after) {
            sum.fill(0.0);
            for (row, weight) in rows {
                for (sum, x) in sum.iter_mut().zip(&x[row * taps.before..][..taps.before]) {
                    *sum += weight * x;
                }
            }
            for (y, columns) in y.iter_mut().zip(&taps.after) {
                y.write(columns.iter().map(|(column, weight)| weight * sum[*column]).sum());
            }
        }
    }
}
