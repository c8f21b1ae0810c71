//! Sums of a kernel over all pairs of two sets, also for parts of the first, in one pass.

use faer::Mat;
use ndarray::ArrayView2;

use crate::{
    linalg::set_product,
    samples::Rows,
    tiles::{Tile, over_some_pairs},
};

/// What is summed over pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kernel {
    /// `exp(scale·|x − y|²)`.
    Gaussian { scale: f64 },
    /// `(x·y/dimension + 1)³`.
    Cubic { dimension: f64 },
    /// `|x − y|`, which is no positive kernel; its negative is.
    Distance,
}

impl Kernel {
    fn at(self, tile: &Tile<'_>, i: usize, j: usize) -> f64 {
        match self {
            Self::Gaussian { scale } => (scale * tile.squared_distance(i, j)).exp(),
            Self::Cubic { dimension } => {
                let base = tile.product(i, j) / dimension + 1.0;
                base * base * base
            }
            Self::Distance => tile.squared_distance(i, j).sqrt(),
        }
    }
}

/// The real side of a score that is made of sums over pairs, with the sum over its own pairs.
#[derive(Clone, Debug)]
pub(crate) struct PairReference<'a, T> {
    kernel: Kernel,
    real: Rows<'a, T>,
    centre: Vec<f64>,
    within: f64,
}

/// Sums of a kernel over pairs: `n` samples, `m` real ones, `i ≠ j` of a set with itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairSums {
    n: f64,
    m: f64,
    samples: f64,
    real: f64,
    across: f64,
}

impl PairSums {
    /// `mean_{i≠j} k(a_i, a_j) + mean_{i≠j} k(b_i, b_j) − 2·mean k(a_i, b_j)`, for sets of at least two.
    pub fn unbiased(&self) -> f64 {
        let Self { n, m, samples, real, across } = *self;
        samples / (n * (n - 1.0)) + real / (m * (m - 1.0)) - 2.0 * across / (n * m)
    }

    /// `2·mean k(a_i, b_j) − mean k(a_i, a_j) − mean k(b_i, b_j)` with `i = j` counted, for a kernel that is zero there.
    pub fn energy(&self) -> f64 {
        let Self { n, m, samples, real, across } = *self;
        2.0 * across / (n * m) - samples / (n * n) - real / (m * m)
    }
}

impl<'a, T: Copy + Into<f64> + Sync> PairReference<'a, T> {
    /// `centre` is subtracted from all rows, on both sides.
    pub fn new(real: Rows<'a, T>, centre: Vec<f64>, kernel: Kernel) -> Self {
        let whole = members(real.view().nrows(), &[]);
        let within = sums(real.view(), real.view(), &whole, true, &centre, kernel)[0];
        Self { kernel, real, centre, within }
    }

    /// The real rows.
    pub fn real(&self) -> ArrayView2<'_, T> {
        self.real.view()
    }

    /// The sums of all samples, then of each part of them alone, given by its rows.
    pub fn sums(&self, samples: ArrayView2<'_, T>, parts: &[Vec<usize>]) -> Vec<PairSums> {
        let members = members(samples.nrows(), parts);
        let sums = |other, same| sums(samples, other, &members, same, &self.centre, self.kernel);
        let (within, across) = (sums(samples, true), sums(self.real(), false));
        let sizes = std::iter::once(samples.nrows()).chain(parts.iter().map(Vec::len));
        let m = self.real().nrows() as f64;
        sizes
            .zip(within.into_iter().zip(across))
            .map(|(n, (samples, across))| PairSums { n: n as f64, m, samples, real: self.within, across })
            .collect()
    }
}

/// A column of ones for all rows, then for each part one with ones at its rows.
fn members(n: usize, parts: &[Vec<usize>]) -> Mat<f64> {
    let mut members = Mat::zeros(n, 1 + parts.len());
    members.col_mut(0).fill(1.0);
    for (column, part) in parts.iter().enumerate() {
        part.iter().for_each(|&row| members[(row, 1 + column)] = 1.0);
    }
    members
}

/// For each column e of `members`, `eᵀ K e` of a set with itself, the diagonal of K left out, or `eᵀ K 1` of two sets.
fn sums<T: Copy + Into<f64> + Sync>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    members: &Mat<f64>,
    same: bool,
    centre: &[f64],
    kernel: Kernel,
) -> Vec<f64> {
    let parts = members.ncols();
    let sums = over_some_pairs(
        a,
        b,
        centre,
        // Of a set with itself the tiles below the diagonal repeat those above it.
        |rows, columns| !same || rows.start <= columns.start,
        |_| vec![0.0; parts],
        |sums, tile| {
            let (rows, columns) = (tile.rows.clone(), tile.columns.clone());
            let diagonal = same && rows == columns;
            let values = Mat::from_fn(rows.len(), columns.len(), |i, j| {
                if diagonal && i == j { 0.0 } else { kernel.at(tile, i, j) }
            });
            let ones = Mat::from_fn(columns.len(), 1, |_, _| 1.0);
            let right = if same { members.subrows(columns.start, columns.len()) } else { ones.as_ref() };
            let mut by_row = Mat::zeros(rows.len(), right.ncols());
            set_product(by_row.as_mut(), values.as_ref(), right);
            let times = if same && !diagonal { 2.0 } else { 1.0 };
            for (part, sum) in sums.iter_mut().enumerate() {
                let column = if same { part } else { 0 };
                let of_part =
                    rows.clone().enumerate().map(|(i, row)| members[(row, part)] * by_row[(i, column)]);
                *sum += times * of_part.sum::<f64>();
            }
        },
    );
    (0..parts).map(|part| sums.iter().map(|sums| sums[part]).sum()).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;
    use crate::tiles::mean_row;

    #[test]
    fn a_part_has_the_sums_of_its_rows_alone() {
        let set = |n: usize, k: usize| {
            Array2::from_shape_fn((n, 3), |(i, j)| ((i * k + j * 17 + i * i) % 101) as f64 / 20.0)
        };
        let (a, b) = (set(600, 31), set(300, 7));
        let part: Vec<usize> = (0..600).filter(|row| row % 7 < 3).collect();
        for kernel in [Kernel::Gaussian { scale: -0.3 }, Kernel::Cubic { dimension: 3.0 }, Kernel::Distance] {
            let reference = PairReference::new(b.view().into(), mean_row(b.view()), kernel);
            let found = reference.sums(a.view(), std::slice::from_ref(&part));
            for (found, rows) in [(found[0], a.clone()), (found[1], a.select(Axis(0), &part))] {
                let alone = reference.sums(rows.view(), &[])[0];
                assert!((found.unbiased() - alone.unbiased()).abs() < 1e-12 * (1.0 + found.unbiased().abs()));
                assert!((found.energy() - alone.energy()).abs() < 1e-12 * (1.0 + found.energy().abs()));
            }
        }
    }
}
