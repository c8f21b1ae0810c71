//! Group normalisation and what follows it: a group is read once from memory and stays in the cache.

use burn::tensor::Shape;
use rayon::prelude::*;

use super::{
    exp::sigmoid,
    sum::sum,
    wide::{Loop, widest},
};
use crate::kernels::{Activation, GroupNorm};

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

/// Mean and `1/√(var + ε)` of a group.
#[derive(Clone, Copy)]
struct Moments {
    mean: f32,
    scale: f32,
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
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(self.numbers()).zip(x.par_chunks(self.numbers())).enumerate().for_each(
            |(index, (y, x))| {
                widest(Forward { group: self.group(index), x, y });
            },
        );
        y
    }

    pub(super) fn tangent(&self, x: &[f32], dx: &[f32]) -> Vec<f32> {
        let mut dy = vec![0.0; x.len()];
        let numbers = self.numbers();
        dy.par_chunks_mut(numbers)
            .zip(x.par_chunks(numbers).zip(dx.par_chunks(numbers)))
            .enumerate()
            .for_each(|(index, (dy, (x, dx)))| {
                widest(Tangent { group: self.group(index), x, dx, dy });
            });
        dy
    }

    /// Gradients of `x`, of the weight and of the bias.
    pub(super) fn backward(&self, x: &[f32], grad: &[f32]) -> [Vec<f32>; 3] {
        let (numbers, channels) = (self.numbers(), self.channels());
        let rows = x.len() / self.pixels;
        let (mut dx, mut dweights, mut dbiases) = (vec![0.0; x.len()], vec![0.0; rows], vec![0.0; rows]);
        dx.par_chunks_mut(numbers)
            .zip(x.par_chunks(numbers).zip(grad.par_chunks(numbers)))
            .zip(dweights.par_chunks_mut(channels).zip(dbiases.par_chunks_mut(channels)))
            .enumerate()
            .for_each(|(index, ((dx, (x, grad)), (dweight, dbias)))| {
                widest(Backward { group: self.group(index), x, grad, dx, dweight, dbias });
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
        let length = x.len() as f32;
        let mean = sum([x], |[x]| x) / length;
        let variance = sum([x], |[x]| (x - mean) * (x - mean)) / length;
        Moments { mean, scale: (1.0 / (f64::from(variance) + self.of.spec.epsilon).sqrt()) as f32 }
    }

    #[inline(always)]
    fn silu(&self) -> bool {
        self.of.spec.activation == Activation::Silu
    }
}

impl Moments {
    #[inline(always)]
    fn normal(&self, x: f32) -> f32 {
        (x - self.mean) * self.scale
    }
}

/// `d(n·σ(n))/dn`.
#[inline(always)]
fn silu_slope(n: f32) -> f32 {
    let s = sigmoid(n);
    s * (1.0 + n * (1.0 - s))
}

struct Forward<'a> {
    group: Group<'a>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Loop for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { group, x, y } = self;
        let (moments, pixels) = (group.moments(x), group.of.pixels);
        let channels = x.chunks_exact(pixels).zip(y.chunks_exact_mut(pixels));
        for ((x, y), (weight, bias)) in channels.zip(group.weight.iter().zip(group.bias)) {
            if group.silu() {
                for (y, x) in y.iter_mut().zip(x) {
                    let n = moments.normal(*x) * weight + bias;
                    *y = n * sigmoid(n);
                }
            } else {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = moments.normal(*x) * weight + bias;
                }
            }
        }
    }
}

/// `dn = w·s·(c − x̂·mean(x̂·c))` with `c = dx − mean dx`; `dy = act'(n)·dn`.
struct Tangent<'a> {
    group: Group<'a>,
    x: &'a [f32],
    dx: &'a [f32],
    dy: &'a mut [f32],
}

impl Loop for Tangent<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { group, x, dx, dy } = self;
        let (moments, pixels, length) = (group.moments(x), group.of.pixels, x.len() as f32);
        let mean = sum([dx], |[dx]| dx) / length;
        let overlap = sum([x, dx], |[x, dx]| moments.normal(x) * (dx - mean)) / length;
        let channels = x.chunks_exact(pixels).zip(dx.chunks_exact(pixels)).zip(dy.chunks_exact_mut(pixels));
        for (((x, dx), dy), (weight, bias)) in channels.zip(group.weight.iter().zip(group.bias)) {
            let scale = weight * moments.scale;
            if group.silu() {
                for ((dy, x), dx) in dy.iter_mut().zip(x).zip(dx) {
                    let normal = moments.normal(*x);
                    let slope = silu_slope(normal * weight + bias);
                    *dy = slope * (scale * (dx - mean - normal * overlap));
                }
            } else {
                for ((dy, x), dx) in dy.iter_mut().zip(x).zip(dx) {
                    *dy = scale * (dx - mean - moments.normal(*x) * overlap);
                }
            }
        }
    }
}

/// With `g = act'(n)·grad`: `dbias = Σg`, `dweight = Σ g·x̂`, `dx = s·(w·g − mean(w·g) − x̂·mean(w·g·x̂))`.
struct Backward<'a> {
    group: Group<'a>,
    x: &'a [f32],
    grad: &'a [f32],
    dx: &'a mut [f32],
    dweight: &'a mut [f32],
    dbias: &'a mut [f32],
}

impl Loop for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { group, x, grad, dx, dweight, dbias } = self;
        let (moments, pixels, length) = (group.moments(x), group.of.pixels, x.len() as f32);
        let (mut mean, mut overlap) = (0.0, 0.0);
        let of_channel = |index: usize| index * pixels..(index + 1) * pixels;
        for (index, (weight, bias)) in group.weight.iter().zip(group.bias).enumerate() {
            let (x, grad, g) = (&x[of_channel(index)], &grad[of_channel(index)], &mut dx[of_channel(index)]);
            if group.silu() {
                for ((g, x), grad) in g.iter_mut().zip(x).zip(grad) {
                    *g = grad * silu_slope(moments.normal(*x) * weight + bias);
                }
            } else {
                g.copy_from_slice(grad);
            }
            dbias[index] = sum([&*g], |[g]| g);
            dweight[index] = sum([&*g, x], |[g, x]| g * moments.normal(x));
            mean += weight * dbias[index] / length;
            overlap += weight * dweight[index] / length;
        }
        for (index, weight) in group.weight.iter().enumerate() {
            let (x, g) = (&x[of_channel(index)], &mut dx[of_channel(index)]);
            for (g, x) in g.iter_mut().zip(x) {
                *g = moments.scale * (weight * *g - mean - moments.normal(*x) * overlap);
            }
        }
    }
}
