//! Linear layers: a bias and an activation are added to rows that are still in the cache.

use rayon::prelude::*;

use super::{
    activation::{Function, Loops},
    fresh::written,
    product::{Matrix, Panels, product},
    wide::{Loop, widest},
};
use crate::operands::Activation;

/// Rows that are summed in single precision.
const ROWS: usize = 64;

/// `act(x·weight + bias)`.
pub(super) fn linear(x: Matrix, weight: Matrix, bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
    let panels = Panels::new(weight, x.rows);
    written(x.rows * weight.columns, |y| {
        product(x, &panels, y, |row| {
            if bias.is_some() || activation != Activation::None {
                widest(Finish { row, bias, activation });
            }
        });
    })
}

/// The sums of the columns of rows of `length` numbers: the gradient of a bias.
pub(super) fn column_sums(x: &[f32], length: usize) -> Vec<f32> {
    let count = x.len().div_ceil(ROWS * length);
    let mut sums = vec![0.0; count * length];
    sums.par_chunks_mut(length).zip(x.par_chunks(ROWS * length)).for_each(|(sums, x)| {
        widest(Columns { x, sums });
    });
    let column = |column: usize| sums.iter().skip(column).step_by(length).map(|sum| f64::from(*sum));
    (0..length).map(|index| column(index).sum::<f64>() as f32).collect()
}

struct Finish<'a> {
    row: &'a mut [f32],
    bias: Option<&'a [f32]>,
    activation: Activation,
}

impl Loop for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.activation.run(self)
    }
}

impl Loops for Finish<'_> {
    #[inline(always)]
    fn over<F: Function>(self) {
        match self.bias {
            Some(bias) => self.row.iter_mut().zip(bias).for_each(|(y, bias)| *y = F::value(*y + bias)),
            None => self.row.iter_mut().for_each(|y| *y = F::value(*y)),
        }
    }
}

struct Columns<'a> {
    x: &'a [f32],
    sums: &'a mut [f32],
}

impl Loop for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.x.chunks_exact(self.sums.len()) {
            for (sum, x) in self.sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}
