//! Products of matrices with what follows them done while the result is in the cache.
//!
//! The right matrix is copied once into panels as wide as a tile; the left one is read where it lies. An element of the result is
//! summed in blocks of [`DEPTH`] products, each in order, so its bits depend on the sizes alone.

mod panels;
mod tile;

use std::mem::MaybeUninit;

use rayon::prelude::*;

pub(super) use panels::Panels;
use tile::Tile;

/// Products that a tile sums before they are added to the result: a panel of them stays in the first cache.
const DEPTH: usize = 256;

/// Tiles that a task of [`product`] has below each other at most.
const STRIPS: usize = 8;

/// Numbers of a matrix in memory: that of `row` and `column` lies at `row·pitches[0] + column·pitches[1]`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) pitches: [usize; 2],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<'a> Matrix<'a> {
    /// `[rows, columns]`, row by row.
    pub(super) fn new(values: &'a [f32], columns: usize) -> Self {
        Self { values, pitches: [columns, 1], rows: values.len() / columns, columns }
    }

    pub(super) fn transposed(self) -> Self {
        let Self { values, pitches: [row, column], rows, columns } = self;
        Self { values, pitches: [column, row], rows: columns, columns: rows }
    }

    /// Some of its columns.
    pub(super) fn narrow(self, start: usize, columns: usize) -> Self {
        Self { values: &self.values[start * self.pitches[1]..], columns, ..self }
    }

    /// Rows from `start`, at most `rows` of them.
    pub(super) fn starting_at(self, start: usize, rows: usize) -> Self {
        let rows = rows.min(self.rows - start);
        Self { values: &self.values[start * self.pitches[0]..], rows, ..self }
    }
}

/// `a·b`, `[a.rows, columns]`, in parallel; `finish` is called with each row of the result.
pub(super) fn product(
    a: Matrix,
    b: &Panels,
    out: &mut [MaybeUninit<f32>],
    finish: impl Fn(&mut [f32]) + Sync,
) {
    let strips = a.rows.div_ceil(b.sizes().rows);
    let rows = strips.div_ceil(2).clamp(1, STRIPS) * b.sizes().rows;
    out.par_chunks_mut(rows * b.columns()).enumerate().for_each(|(task, out)| {
        let a = a.starting_at(task * rows, rows);
        for row in multiply(a, b, out).chunks_exact_mut(b.columns()) {
            finish(row);
        }
    });
}

/// `a·b` on this thread: fills `out`, `[a.rows, columns]`.
pub(super) fn multiply<'a>(a: Matrix, b: &Panels, out: &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] {
    assert_eq!((a.columns, a.rows * b.columns()), (b.rows(), out.len()), "sizes of a product");
    let sizes = b.sizes();
    let mut strips = Vec::new();
    for start in (0..a.columns).step_by(DEPTH) {
        let depth = DEPTH.min(a.columns - start);
        let block = a.narrow(start, depth);
        // Columns that are far apart are brought together once for all panels.
        let gathered = block.pitches[1] != 1;
        if gathered {
            gather(block, sizes.rows, &mut strips);
        }
        for panel in 0..b.count() {
            for top in (0..a.rows).step_by(sizes.rows) {
                let rows = sizes.rows.min(a.rows - top);
                sizes.multiply(Tile {
                    a: if gathered {
                        let values = &strips[top * depth..];
                        Matrix { values, pitches: [1, sizes.rows], rows, columns: depth }
                    } else {
                        block.starting_at(top, rows)
                    },
                    b: b.panel(panel, start, depth),
                    pitch: b.pitch(),
                    out: &mut out[top * b.columns() + panel * sizes.columns..],
                    columns: sizes.columns.min(b.columns() - panel * sizes.columns),
                    out_pitch: b.columns(),
                    add: start > 0,
                });
            }
        }
    }
    if a.columns == 0 {
        out.fill(MaybeUninit::new(0.0));
    }
    // SAFETY: every tile has been written.
    #[allow(unsafe_code)]
    unsafe {
        out.assume_init_mut()
    }
}

/// The block in strips of so many rows, each column by column.
fn gather(block: Matrix, rows: usize, to: &mut Vec<f32>) {
    let depth = block.columns;
    to.resize(block.rows.next_multiple_of(rows) * depth, 0.0);
    for (strip, to) in to.chunks_exact_mut(rows * depth).enumerate() {
        let block = block.starting_at(strip * rows, rows);
        for (column, to) in to.chunks_exact_mut(rows).enumerate() {
            let from = &block.values[column * block.pitches[1]..];
            if block.pitches[0] == 1 {
                to[..block.rows].copy_from_slice(&from[..block.rows]);
            } else {
                for (row, to) in to.iter_mut().enumerate().take(block.rows) {
                    *to = from[row * block.pitches[0]];
                }
            }
        }
    }
}
