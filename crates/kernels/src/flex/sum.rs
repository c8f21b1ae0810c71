//! Sums in an order that depends on their length alone.

use rayon::prelude::*;

use super::{
    BLOCK,
    wide::{Loop, widest},
};

/// Partial sums that run side by side: a vector register or several.
const LANES: usize = 16;

/// `Σ term(a, b, …)` over the numbers of slices of one length.
#[inline(always)]
pub(super) fn sum<const N: usize>(slices: [&[f32]; N], term: impl Fn([f32; N]) -> f32) -> f32 {
    let length = slices[0].len();
    let mut lanes = [0f32; LANES];
    let whole = length / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let block = slices.map(|slice| &slice[start..start + LANES]);
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(block.map(|block| block[lane]));
        }
    }
    let rest: f64 = (whole..length).map(|i| f64::from(term(slices.map(|slice| slice[i])))).sum();
    (lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>() + rest) as f32
}

/// The largest number of a slice.
#[inline(always)]
pub(super) fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let blocks = x.chunks_exact(LANES);
    let rest = blocks.remainder();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane = larger(*lane, *x);
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| larger(a, *b))
}

/// `Σ x²` over the numbers of all slices.
pub(super) fn of_squares(slices: &[&[f32]]) -> f32 {
    let blocks: Vec<&[f32]> = slices.iter().flat_map(|slice| slice.chunks(BLOCK)).collect();
    let sums: Vec<f64> = blocks.into_par_iter().map(|block| widest(Squares(block))).collect();
    sums.into_iter().sum::<f64>() as f32
}

struct Squares<'a>(&'a [f32]);

impl Loop for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        self.0.chunks(LANES * LANES).map(|part| f64::from(sum([part], |[x]| x * x))).sum()
    }
}
