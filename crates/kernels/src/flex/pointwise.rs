//! Activations and softmax.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{
    BLOCK,
    activation::{Function, Loops},
    exp::exp,
    fresh::written,
    sum::{max, sum},
    wide::{Loop, widest},
};
use crate::operands::Activation;

/// `act(x)`.
pub(super) fn activate(x: &[f32], activation: Activation) -> Vec<f32> {
    written(x.len(), |y| {
        y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(y, x)| {
            widest(Value { activation, x, y });
        });
    })
}

/// `act'(x)·v`.
pub(super) fn activation_product(x: &[f32], v: &[f32], activation: Activation) -> Vec<f32> {
    written(x.len(), |y| {
        y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK).zip(v.par_chunks(BLOCK))).for_each(|(y, (x, v))| {
            widest(Slope { activation, x, v, y });
        });
    })
}

/// Softmax of rows of `length` numbers.
pub(super) fn softmax(x: &[f32], length: usize) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    let rows = BLOCK.div_ceil(length);
    y.par_chunks_mut(length).zip(x.par_chunks(length)).with_min_len(rows).for_each(|(y, x)| {
        widest(Softmax { x, y });
    });
    y
}

/// Softmax of `scale·x`, in place of `x`.
pub(super) fn softmax_in_place(x: &mut [f32], scale: f32) {
    widest(InPlace { x, scale });
}

/// `y·(v − Σ y·v)`, the sum along a row of `length` numbers: the derivative of a softmax `y` along `v`, and its gradient too.
pub(super) fn softmax_product(y: &[f32], v: &[f32], length: usize) -> Vec<f32> {
    let rows = BLOCK.div_ceil(length);
    written(y.len(), |product| {
        product
            .par_chunks_mut(length)
            .zip(y.par_chunks(length).zip(v.par_chunks(length)))
            .with_min_len(rows)
            .for_each(|(product, (y, v))| {
                widest(SoftmaxProduct { y, v, product });
            });
    })
}

struct Value<'a> {
    activation: Activation,
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl Loop for Value<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.activation.run(self)
    }
}

impl Loops for Value<'_> {
    #[inline(always)]
    fn over<F: Function>(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            y.write(F::value(*x));
        }
    }
}

struct Slope<'a> {
    activation: Activation,
    x: &'a [f32],
    v: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl Loop for Slope<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.activation.run(self)
    }
}

impl Loops for Slope<'_> {
    #[inline(always)]
    fn over<F: Function>(self) {
        for ((y, x), v) in self.y.iter_mut().zip(self.x).zip(self.v) {
            y.write(F::slope(*x) * v);
        }
    }
}

struct Softmax<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Loop for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, y } = self;
        let largest = max(x);
        for (y, x) in y.iter_mut().zip(x) {
            *y = exp(x - largest);
        }
        let scale = 1.0 / sum([&*y], |[y]| y);
        for y in y.iter_mut() {
            *y *= scale;
        }
    }
}

struct InPlace<'a> {
    x: &'a mut [f32],
    scale: f32,
}

impl Loop for InPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, scale } = self;
        let largest = max(x);
        for x in x.iter_mut() {
            *x = exp(scale * (*x - largest));
        }
        let scale = 1.0 / sum([&*x], |[x]| x);
        for x in x.iter_mut() {
            *x *= scale;
        }
    }
}

struct SoftmaxProduct<'a> {
    y: &'a [f32],
    v: &'a [f32],
    product: &'a mut [MaybeUninit<f32>],
}

impl Loop for SoftmaxProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { y, v, product } = self;
        let mean = sum([y, v], |[y, v]| y * v);
        for ((product, y), v) in product.iter_mut().zip(y).zip(v) {
            product.write(y * (v - mean));
        }
    }
}
