//! The right matrix of a product in the order in which tiles read it.

use std::borrow::Cow;

use rayon::prelude::*;

use super::{DEPTH, Matrix, tile::Sizes};

/// A matrix `[rows, columns]` in blocks of [`DEPTH`] rows, a block in panels of as many columns as a tile has.
pub(in super::super) struct Panels<'a> {
    values: Cow<'a, [f32]>,
    sizes: Sizes,
    rows: usize,
    columns: usize,
    /// Distance of two rows of a panel.
    pitch: usize,
}

impl<'a> Panels<'a> {
    /// Of `b`; for a product with a left matrix of few rows (`left`), a copy is not worth it.
    pub(in super::super) fn new(b: Matrix<'a>, left: usize) -> Self {
        let sizes = Sizes::of_this_machine();
        let Matrix { rows, columns, pitches: [pitch, step], .. } = b;
        if left <= sizes.rows && step == 1 && columns.is_multiple_of(sizes.columns) {
            return Self { values: Cow::Borrowed(b.values), sizes, rows, columns, pitch };
        }
        let mut panels = Self { values: Cow::default(), sizes, rows, columns, pitch: sizes.columns };
        let mut values = vec![0.0; rows * panels.padded()];
        values.par_chunks_mut((DEPTH * panels.padded()).max(1)).enumerate().for_each(|(block, to)| {
            let start = block * DEPTH;
            fill(to, b.starting_at(start, DEPTH), sizes.columns);
        });
        panels.values = values.into();
        panels
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn count(&self) -> usize {
        self.columns.div_ceil(self.sizes.columns)
    }

    pub(super) fn pitch(&self) -> usize {
        self.pitch
    }

    fn padded(&self) -> usize {
        self.columns.next_multiple_of(self.sizes.columns)
    }

    /// A panel of the block of `depth` rows from `start`.
    pub(super) fn panel(&self, panel: usize, start: usize, depth: usize) -> &[f32] {
        let width = self.sizes.columns;
        let first = match &self.values {
            Cow::Borrowed(_) => start * self.pitch + panel * width,
            Cow::Owned(_) => start * self.padded() + panel * depth * width,
        };
        &self.values[first..][..(depth - 1) * self.pitch + width]
    }
}

/// One block; `width` is that of a panel.
fn fill(to: &mut [f32], b: Matrix, width: usize) {
    let [pitch, step] = b.pitches;
    let panel = b.rows * width;
    if step == 1 {
        for row in 0..b.rows {
            let from = b.values[row * pitch..][..b.columns].chunks(width);
            for (from, to) in from.zip(to.chunks_exact_mut(panel)) {
                to[row * width..][..from.len()].copy_from_slice(from);
            }
        }
        return;
    }
    // Squares of this side, so that neither matrix is walked far apart.
    const SQUARE: usize = 16;
    for (index, to) in to.chunks_exact_mut(panel).enumerate() {
        let columns = width.min(b.columns - index * width);
        for top in (0..b.rows).step_by(SQUARE) {
            let rows = SQUARE.min(b.rows - top);
            for column in 0..columns {
                let from = &b.values[top * pitch + (index * width + column) * step..];
                for row in 0..rows {
                    to[(top + row) * width + column] = from[row * pitch];
                }
            }
        }
    }
}
