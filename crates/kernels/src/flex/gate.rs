//! Residuals behind a gate for each sample.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{
    BLOCK,
    fresh::written,
    wide::{Loop, widest},
};

/// `x + gate·y`, or `gate·y`, of `[samples, tokens, width]` with a gate `[samples, width]`.
pub(super) fn gated_sum(x: Option<&[f32]>, gate: &[f32], y: &[f32], [tokens, width]: [usize; 2]) -> Vec<f32> {
    written(y.len(), |sum| {
        sum.par_chunks_mut(width)
            .zip(y.par_chunks(width))
            .with_min_len(BLOCK.div_ceil(width))
            .enumerate()
            .for_each(|(index, (sum, y))| {
                let x = x.map(|x| &x[index * width..][..width]);
                widest(Sum { x, gate: &gate[index / tokens * width..][..width], y, sum });
            });
    })
}

/// `Σ grad·y` over the tokens of each sample: the gradient of the gate.
pub(super) fn gate_gradient(y: &[f32], grad: &[f32], [tokens, width]: [usize; 2]) -> Vec<f32> {
    let mut dgate = vec![0.0; y.len() / tokens];
    let sample = tokens * width;
    dgate.par_chunks_mut(width).zip(y.par_chunks(sample).zip(grad.par_chunks(sample))).for_each(
        |(dgate, (y, grad))| {
            widest(Gradient { y, grad, dgate });
        },
    );
    dgate
}

struct Sum<'a> {
    x: Option<&'a [f32]>,
    gate: &'a [f32],
    y: &'a [f32],
    sum: &'a mut [MaybeUninit<f32>],
}

impl Loop for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, gate, y, sum } = self;
        let products = sum.iter_mut().zip(gate.iter().zip(y));
        match x {
            Some(x) => {
                for ((sum, (gate, y)), x) in products.zip(x) {
                    sum.write(x + gate * y);
                }
            }
            None => {
                for (sum, (gate, y)) in products {
                    sum.write(gate * y);
                }
            }
        }
    }
}

struct Gradient<'a> {
    y: &'a [f32],
    grad: &'a [f32],
    dgate: &'a mut [f32],
}

impl Loop for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let width = self.dgate.len();
        for (y, grad) in self.y.chunks_exact(width).zip(self.grad.chunks_exact(width)) {
            for (dgate, (y, grad)) in self.dgate.iter_mut().zip(y.iter().zip(grad)) {
                *dgate += grad * y;
            }
        }
    }
}
