//! Layer normalisation with a scale and a shift for each sample.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{
    BLOCK,
    fresh::written,
    moments::Moments,
    sum::sum,
    wide::{Loop, widest},
};

/// Sizes of `[samples, tokens, width]`, and `ε`.
#[derive(Clone, Copy)]
pub(super) struct Modulation {
    pub(super) tokens: usize,
    pub(super) width: usize,
    pub(super) epsilon: f64,
}

/// Directions of a derivative; of a scale and of a shift, `[samples, width]`.
#[derive(Clone, Copy)]
pub(super) struct Directions<'a> {
    pub(super) x: Option<&'a [f32]>,
    pub(super) shift: Option<&'a [f32]>,
    pub(super) scale: Option<&'a [f32]>,
}

impl Modulation {
    /// Numbers of the sample that row number `index` belongs to.
    fn sample<'a>(&self, rows: &'a [f32], index: usize) -> &'a [f32] {
        &rows[index / self.tokens * self.width..][..self.width]
    }

    pub(super) fn forward(&self, x: &[f32], shift: &[f32], scale: &[f32]) -> Vec<f32> {
        let Self { width, epsilon, .. } = *self;
        written(x.len(), |y| {
            y.par_chunks_mut(width)
                .zip(x.par_chunks(width))
                .with_min_len(BLOCK.div_ceil(width))
                .enumerate()
                .for_each(|(index, (y, x))| {
                    let (shift, scale) = (self.sample(shift, index), self.sample(scale, index));
                    widest(Forward { x, shift, scale, epsilon, y });
                });
        })
    }

    pub(super) fn tangent(&self, x: &[f32], scale: &[f32], along: Directions) -> Vec<f32> {
        let Self { width, epsilon, .. } = *self;
        let zeros = vec![0.0; width];
        written(x.len(), |dy| {
            dy.par_chunks_mut(width)
                .zip(x.par_chunks(width))
                .with_min_len(BLOCK.div_ceil(width))
                .enumerate()
                .for_each(|(index, (dy, x))| {
                    let sample = |rows: Option<_>| rows.map_or(&zeros[..], |rows| self.sample(rows, index));
                    widest(Tangent {
                        x,
                        scale: self.sample(scale, index),
                        dx: along.x.map_or(&zeros[..], |dx| &dx[index * width..][..width]),
                        dshift: sample(along.shift),
                        dscale: sample(along.scale),
                        epsilon,
                        dy,
                    });
                });
        })
    }

    /// Gradients of `x`, of the shift and of the scale.
    pub(super) fn backward(&self, x: &[f32], scale: &[f32], grad: &[f32]) -> [Vec<f32>; 3] {
        let Self { width, epsilon, .. } = *self;
        let sample = self.tokens * width;
        let (mut dshift, mut dscale) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
        let dx = written(x.len(), |dx| {
            dx.par_chunks_mut(sample)
                .zip(x.par_chunks(sample).zip(grad.par_chunks(sample)))
                .zip(scale.par_chunks(width))
                .zip(dshift.par_chunks_mut(width).zip(dscale.par_chunks_mut(width)))
                .for_each(|(((dx, (x, grad)), scale), (dshift, dscale))| {
                    widest(Backward { x, scale, grad, epsilon, dx, dshift, dscale });
                });
        });
        [dx, dshift, dscale]
    }
}

/// `y = x̂·(1 + scale) + shift`.
struct Forward<'a> {
    x: &'a [f32],
    shift: &'a [f32],
    scale: &'a [f32],
    epsilon: f64,
    y: &'a mut [MaybeUninit<f32>],
}

impl Loop for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let moments = Moments::of(self.x, self.epsilon);
        let rows = self.y.iter_mut().zip(self.x).zip(self.shift.iter().zip(self.scale));
        for ((y, x), (shift, scale)) in rows {
            y.write(moments.normal(*x) * (1.0 + scale) + shift);
        }
    }
}

/// `dy = s·(c − x̂·mean(x̂·c))·(1 + scale) + x̂·dscale + dshift` with `c = dx − mean dx`.
struct Tangent<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    dx: &'a [f32],
    dshift: &'a [f32],
    dscale: &'a [f32],
    epsilon: f64,
    dy: &'a mut [MaybeUninit<f32>],
}

impl Loop for Tangent<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, scale, dx, dshift, dscale, epsilon, dy } = self;
        let moments = Moments::of(x, epsilon);
        let length = x.len() as f32;
        let mean = sum([dx], |[dx]| dx) / length;
        let overlap = sum([x, dx], |[x, dx]| moments.normal(x) * (dx - mean)) / length;
        let along = dx.iter().zip(scale).zip(dshift.iter().zip(dscale));
        for ((dy, x), ((dx, scale), (dshift, dscale))) in dy.iter_mut().zip(x).zip(along) {
            let normal = moments.normal(*x);
            let dnormal = moments.scale * (dx - mean - normal * overlap);
            dy.write(dnormal * (1.0 + scale) + normal * dscale + dshift);
        }
    }
}

/// Of the tokens of one sample. With `g = grad·(1 + scale)`: `dx = s·(g − mean g − x̂·mean(g·x̂))`, `dshift = Σ grad`,
/// `dscale = Σ grad·x̂`.
struct Backward<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    grad: &'a [f32],
    epsilon: f64,
    dx: &'a mut [MaybeUninit<f32>],
    dshift: &'a mut [f32],
    dscale: &'a mut [f32],
}

impl Loop for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, scale, grad, epsilon, dx, dshift, dscale } = self;
        let width = scale.len();
        let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width).zip(grad.chunks_exact(width)));
        for (dx, (x, grad)) in rows {
            let moments = Moments::of(x, epsilon);
            let length = width as f32;
            let mean = sum([grad, scale], |[grad, scale]| grad * (1.0 + scale)) / length;
            let overlap =
                sum([grad, scale, x], |[grad, scale, x]| grad * (1.0 + scale) * moments.normal(x)) / length;
            let sums = dshift.iter_mut().zip(dscale.iter_mut());
            for ((dx, (x, (grad, scale))), (dshift, dscale)) in
                dx.iter_mut().zip(x.iter().zip(grad.iter().zip(scale))).zip(sums)
            {
                let normal = moments.normal(*x);
                *dshift += grad;
                *dscale += grad * normal;
                dx.write(moments.scale * (grad * (1.0 + scale) - mean - normal * overlap));
            }
        }
    }
}
