//! All pairs of two sets, tile by tile, so that neither the pairs nor f64 copies of the sets are ever in memory at once.

use std::ops::Range;

use faer::{Mat, MatRef};
use ndarray::{Array2, ArrayView1, ArrayView2, s};
use rayon::prelude::*;

use crate::linalg::set_product;

/// Rows of each set in a tile. Fixed, so that the order of additions does not depend on the number of threads.
pub(crate) const TILE: usize = 256;

/// Inner products of some rows of two sets, with the squared lengths of the rows.
pub(crate) struct Tile<'a> {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    a: &'a Block,
    b: &'a Block,
    products: MatRef<'a, f64>,
}

/// Some rows of a set, as f64.
struct Block {
    rows: Array2<f64>,
    squares: Vec<f64>,
}

impl Block {
    fn new<T: Copy + Into<f64>>(set: ArrayView2<'_, T>, range: Range<usize>, centre: &[f64]) -> Self {
        let some = set.slice(s![range, ..]);
        let mut rows = Array2::zeros(some.dim());
        // Row by row, so that the loop is over slices.
        for (mut to, from) in rows.rows_mut().into_iter().zip(some.rows()) {
            to.iter_mut().zip(from).zip(centre).for_each(|((to, &from), centre)| *to = from.into() - centre);
        }
        let squares = rows.rows().into_iter().map(|row| row.dot(&row)).collect();
        Self { rows, squares }
    }

    fn matrix(&self) -> MatRef<'_, f64> {
        let (rows, columns) = self.rows.dim();
        MatRef::from_row_major_slice(self.rows.as_slice().expect("standard layout"), rows, columns)
    }
}

impl Tile<'_> {
    /// `a_i · b_j`, counted inside the tile.
    pub fn product(&self, i: usize, j: usize) -> f64 {
        self.products[(i, j)]
    }

    /// `|a_i − b_j|²`, counted inside the tile. Where the products would leave few digits it is summed anew, so that equal
    /// rows are at exactly zero.
    pub fn squared_distance(&self, i: usize, j: usize) -> f64 {
        let scale = self.a.squares[i] + self.b.squares[j];
        let squared = scale - 2.0 * self.products[(i, j)];
        if squared > 1e-6 * scale {
            return squared;
        }
        self.a.rows.row(i).iter().zip(self.b.rows.row(j)).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// How far [`squared_distance`](Self::squared_distance) may be from [`direct`] by rounding, anywhere in the tile: the usual
    /// bound of inner products of as many terms, for the two ways together.
    pub fn rounding(&self) -> f64 {
        let terms = (self.a.rows.ncols() + 4) as f64;
        let largest = |block: &Block| block.squares.iter().copied().fold(0.0, f64::max);
        4.0 * terms * f64::EPSILON * (largest(self.a) + largest(self.b))
    }
}

/// `|a − b|²` of two rows as they are given, term by term: exact for integers, so that equal distances are equal. Slow, and
/// only for pairs that [`Tile::squared_distance`] does not decide.
pub(crate) fn direct<T: Copy + Into<f64>>(a: ArrayView1<'_, T>, b: ArrayView1<'_, T>) -> f64 {
    const LANES: usize = 8;
    let square = |a: T, b: T| {
        let difference: f64 = a.into() - b.into();
        difference * difference
    };
    let mut sums = [0.0; LANES];
    if let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum += square(a, b);
            }
        }
        sums.iter_mut().zip(a_rest.iter().zip(b_rest)).for_each(|(sum, (&a, &b))| *sum += square(a, b));
    } else {
        a.iter().zip(b).enumerate().for_each(|(k, (&a, &b))| sums[k % LANES] += square(a, b));
    }
    sums.iter().sum()
}

/// Calls `visit` with every tile of `a × b`, in parallel over the rows of `a` and in order over those of `b`; returns the
/// state of each row of tiles, in order. `centre` is subtracted from all rows.
pub(crate) fn over_pairs<T: Copy + Into<f64> + Sync, S: Send>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    centre: &[f64],
    state: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, &Tile<'_>) + Sync,
) -> Vec<S> {
    over_some_pairs(a, b, centre, |_, _| true, state, visit)
}

/// [`over_pairs`] for the tiles alone whose rows and columns are wanted.
pub(crate) fn over_some_pairs<T: Copy + Into<f64> + Sync, S: Send>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    centre: &[f64],
    wanted: impl Fn(&Range<usize>, &Range<usize>) -> bool + Sync,
    state: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, &Tile<'_>) + Sync,
) -> Vec<S> {
    ranges(a.nrows())
        .into_par_iter()
        .map(|rows| {
            let left = Block::new(a, rows.clone(), centre);
            let mut state = state(rows.clone());
            for columns in ranges(b.nrows()).into_iter().filter(|columns| wanted(&rows, columns)) {
                let right = Block::new(b, columns.clone(), centre);
                let mut products = Mat::zeros(rows.len(), columns.len());
                set_product(products.as_mut(), left.matrix(), right.matrix().transpose());
                let tile =
                    Tile { rows: rows.clone(), columns, a: &left, b: &right, products: products.as_ref() };
                visit(&mut state, &tile);
            }
            state
        })
        .collect()
}

fn ranges(rows: usize) -> Vec<Range<usize>> {
    (0..rows).step_by(TILE).map(|from| from..(from + TILE).min(rows)).collect()
}

/// The mean row, in f64.
pub(crate) fn mean_row<T: Copy + Into<f64>>(set: ArrayView2<'_, T>) -> Vec<f64> {
    let mut mean = vec![0.0; set.ncols()];
    for row in set.rows() {
        for (sum, &value) in mean.iter_mut().zip(row) {
            *sum += value.into();
        }
    }
    mean.iter_mut().for_each(|sum| *sum /= set.nrows().max(1) as f64);
    mean
}
