//! Group normalisation and what follows it: a group is read once from memory and stays in the cache.

use std::mem::MaybeUninit;

use burn::tensor::Shape;
use rayon::prelude::*;

use super::{
    BLOCK,
    activation::{Function, Loops},
    fresh::written,
    moments::Moments,
    sum::sum,
    wide::{Loop, widest},
};
use crate::operands::GroupNorm;

/// A normalisation of `[batch, channels, pixels]`.
#[derive(Clone, Copy)]
pub(super) struct Normalisation<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    spec: GroupNorm,
    pixels: usize,
}

/// One group of channels.
#[derive(Clone, Copy)]
struct Group<'a> {
    of: Normalisation<'a>,
    /// Weights and biases of its channels.
    weight: &'a [f32],
    bias: &'a [f32],
}

impl<'a> Normalisation<'a> {
    pub(super) fn new(shape: &Shape, weight: &'a [f32], bias: &'a [f32], spec: GroupNorm) -> Self {
        let [_, _, height, width] = shape.dims();
        Self { weight, bias, spec, pixels: height * width }
    }

    /// Channels of a group.
    fn channels(&self) -> usize {
        self.weight.len() / self.spec.groups
    }

    /// Numbers of a group.
    fn numbers(&self) -> usize {
        self.channels() * self.pixels
    }

    /// The group that is number `index` of the batch.
    fn group(&self, index: usize) -> Group<'a> {
        let start = index % self.spec.groups * self.channels();
        let channels = start..start + self.channels();
        Group { of: *self, weight: &self.weight[channels.clone()], bias: &self.bias[channels] }
    }

    pub(super) fn forward(&self, x: &[f32]) -> Vec<f32> {
        let numbers = self.numbers();
        written(x.len(), |y| {
            y.par_chunks_mut(numbers)
                .zip(x.par_chunks(numbers))
                .with_min_len(BLOCK.div_ceil(numbers))
                .enumerate()
                .for_each(|(index, (y, x))| {
                    widest(Forward { group: self.group(index), x, y });
                });
        })
    }

    pub(super) fn tangent(&self, x: &[f32], dx: &[f32]) -> Vec<f32> {
        let numbers = self.numbers();
        written(x.len(), |dy| {
            dy.par_chunks_mut(numbers)
                .zip(x.par_chunks(numbers).zip(dx.par_chunks(numbers)))
                .with_min_len(BLOCK.div_ceil(numbers))
                .enumerate()
                .for_each(|(index, (dy, (x, dx)))| {
                    widest(Tangent { group: self.group(index), x, dx, dy });
                });
        })
    }

    /// Gradients of `x`, of the weight and of the bias.
    pub(super) fn backward(&self, x: &[f32], grad: &[f32]) -> [Vec<f32>; 3] {
        let (numbers, channels) = (self.numbers(), self.channels());
        let rows = x.len() / self.pixels;
        let (mut dweights, mut dbiases) = (vec![0.0; rows], vec![0.0; rows]);
        let dx = written(x.len(), |dx| {
            dx.par_chunks_mut(numbers)
                .zip(x.par_chunks(numbers).zip(grad.par_chunks(numbers)))
                .zip(dweights.par_chunks_mut(channels).zip(dbiases.par_chunks_mut(channels)))
                .with_min_len(BLOCK.div_ceil(numbers))
                .enumerate()
                .for_each(|(index, ((dx, (x, grad)), (dweight, dbias)))| {
                    widest(Backward { group: self.group(index), x, grad, dx, dweight, dbias });
                });
        });
        [dx, self.over_batch(&dweights), self.over_batch(&dbiases)]
    }

    /// `[batch, channels]` summed over the batch.
    fn over_batch(&self, rows: &[f32]) -> Vec<f32> {
        let channels = self.weight.len();
        let of =
            |channel| rows.iter().skip(channel).step_by(channels).map(|value| f64::from(*value)).sum::<f64>();
        (0..channels).map(|channel| of(channel) as f32).collect()
    }
}

impl Group<'_> {
    #[inline(always)]
    fn moments(&self, x: &[f32]) -> Moments {
        Moments::of(x, self.of.spec.epsilon)
    }
}

struct Forward<'a> {
    group: Group<'a>,
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl Loop for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.group.of.spec.activation.run(self)
    }
}

impl Loops for Forward<'_> {
    #[inline(always)]
    fn over<F: Function>(self) {
        let Self { group, x, y } = self;
        let (moments, pixels) = (group.moments(x), group.of.pixels);
        let channels = x.chunks_exact(pixels).zip(y.chunks_exact_mut(pixels));
        for ((x, y), (weight, bias)) in channels.zip(group.weight.iter().zip(group.bias)) {
            for (y, x) in y.iter_mut().zip(x) {
                y.write(F::value(moments.normal(*x) * weight + bias));
            }
        }
    }
}

/// `dn = w·s·(c − x̂·mean(x̂·c))` with `c = dx − mean dx`; `dy = act'(n)·dn`.
struct Tangent<'a> {
    group: Group<'a>,
    x: &'a [f32],
    dx: &'a [f32],
    dy: &'a mut [MaybeUninit<f32>],
}

impl Loop for Tangent<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.group.of.spec.activation.run(self)
    }
}

impl Loops for Tangent<'_> {
    #[inline(always)]
    fn over<F: Function>(self) {
        let Self { group, x, dx, dy } = self;
        let (moments, pixels) = (group.moments(x), group.of.pixels);
        let length = x.len() as f32;
        let mean = sum([dx], |[dx]| dx) / length;
        let overlap = sum([x, dx], |[x, dx]| moments.normal(x) * (dx - mean)) / length;
        let channels = x.chunks_exact(pixels).zip(dx.chunks_exact(pixels)).zip(dy.chunks_exact_mut(pixels));
        for (((x, dx), dy), (weight, bias)) in channels.zip(group.weight.iter().zip(group.bias)) {
            let scale = weight * moments.scale;
            for ((dy, x), dx) in dy.iter_mut().zip(x).zip(dx) {
                let normal = moments.normal(*x);
                dy.write(F::slope(normal * weight + bias) * scale * (dx - mean - normal * overlap));
            }
        }
    }
}

/// With `g = act'(n)·grad`: `dbias = Σg`, `dweight = Σ g·x̂`, `dx = s·(w·g − mean(w·g) − x̂·mean(w·g·x̂))`.
struct Backward<'a> {
    group: Group<'a>,
    x: &'a [f32],
    grad: &'a [f32],
    dx: &'a mut [MaybeUninit<f32>],
    dweight: &'a mut [f32],
    dbias: &'a mut [f32],
}

impl Loop for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.group.of.spec.activation.run(self)
    }
}

impl Loops for Backward<'_> {
    #[inline(always)]
    fn over<F: Function>(self) {
        let Self { group, x, grad, dx, dweight, dbias } = self;
        let (moments, pixels) = (group.moments(x), group.of.pixels);
        let length = x.len() as f32;
        let (mut mean, mut overlap) = (0.0, 0.0);
        let mut g = vec![0.0; x.len()];
        let channels = g.chunks_exact_mut(pixels).zip(x.chunks_exact(pixels)).zip(grad.chunks_exact(pixels));
        let parameters = group.weight.iter().zip(group.bias).zip(dweight.iter_mut().zip(dbias));
        for (((g, x), grad), ((weight, bias), (dweight, dbias))) in channels.zip(parameters) {
            for ((g, x), grad) in g.iter_mut().zip(x).zip(grad) {
                *g = grad * F::slope(moments.normal(*x) * weight + bias);
            }
            *dbias = sum([&*g], |[g]| g);
            *dweight = sum([&*g, x], |[g, x]| g * moments.normal(x));
            mean += weight * *dbias / length;
            overlap += weight * *dweight / length;
        }
        let channels = dx.chunks_exact_mut(pixels).zip(x.chunks_exact(pixels)).zip(g.chunks_exact(pixels));
        for (((dx, x), g), weight) in channels.zip(group.weight) {
            for ((dx, x), g) in dx.iter_mut().zip(x).zip(g) {
                dx.write(moments.scale * (weight * g - mean - moments.normal(*x) * overlap));
            }
        }
    }
}
