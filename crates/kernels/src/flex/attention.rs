//! Multi-head self-attention, a head at a time: its weights stay in the cache, and the gradient computes them again.

use rayon::prelude::*;

use super::{
    fresh::written,
    pointwise,
    product::{Matrix, Panels, multiply},
    sum::sum,
    wide::{Loop, widest},
};

/// Queries whose weights are in the cache together.
const QUERIES: usize = 128;

/// Sizes of queries, keys and values side by side, `[samples, tokens, 3·width]`.
#[derive(Clone, Copy)]
pub(super) struct Attention {
    pub(super) samples: usize,
    pub(super) tokens: usize,
    pub(super) width: usize,
    pub(super) heads: usize,
}

/// Queries, keys and values of one head of one sample, each `[tokens, features]`.
type Head<'a> = [Matrix<'a>; 3];

impl Attention {
    fn features(&self) -> usize {
        self.width / self.heads
    }

    /// `1/√features`.
    fn scale(&self) -> f32 {
        (self.features() as f64).powf(-0.5) as f32
    }

    fn head<'a>(&self, sample: &'a [f32], head: usize) -> Head<'a> {
        let all = Matrix::new(sample, 3 * self.width);
        [0, 1, 2].map(|third| all.narrow(third * self.width + head * self.features(), self.features()))
    }

    /// The numbers of each sample.
    fn sample<'a>(&self, qkv: &'a [f32], index: usize) -> &'a [f32] {
        let length = 3 * self.tokens * self.width;
        &qkv[index * length..][..length]
    }

    /// Queries of a task: few samples are shared out among threads.
    fn queries(&self) -> usize {
        if self.samples < 4 { self.tokens.div_ceil(4).max(12) } else { self.tokens.min(QUERIES) }
    }

    /// `softmax(q·kᵀ/√features)·v` of each head, `[samples, tokens, width]`.
    pub(super) fn forward(&self, qkv: &[f32]) -> Vec<f32> {
        self.by_queries(qkv, |sample, head, queries| {
            let [q, k, v] = self.head(self.sample(qkv, sample), head);
            let p = self.weights(q.starting_at(queries, self.queries()), k);
            times(Matrix::new(&p, self.tokens), v)
        })
    }

    /// The derivative of [`forward`](Self::forward) along `dqkv`.
    pub(super) fn tangent(&self, qkv: &[f32], dqkv: &[f32]) -> Vec<f32> {
        self.by_queries(qkv, |sample, head, queries| {
            let [q, k, v] = self.head(self.sample(qkv, sample), head);
            let [dq, dk, dv] = self.head(self.sample(dqkv, sample), head);
            let [q, dq] = [q, dq].map(|q| q.starting_at(queries, self.queries()));
            let p = self.weights(q, k);
            let mut ds = times(dq, k.transposed());
            add(&mut ds, &times(q, dk.transposed()));
            self.through_softmax(&p, &mut ds);
            let mut dy = times(Matrix::new(&ds, self.tokens), v);
            add(&mut dy, &times(Matrix::new(&p, self.tokens), dv));
            dy
        })
    }

    /// The gradient of queries, keys and values.
    pub(super) fn backward(&self, qkv: &[f32], grad: &[f32]) -> Vec<f32> {
        let Self { tokens, width, .. } = *self;
        let mut dqkv = vec![0.0; qkv.len()];
        dqkv.par_chunks_mut(3 * tokens * width).enumerate().for_each(|(sample, dqkv)| {
            let grad = Matrix::new(&grad[sample * tokens * width..][..tokens * width], width);
            for head in 0..self.heads {
                let [q, k, v] = self.head(self.sample(qkv, sample), head);
                let first = head * self.features();
                let grad = grad.narrow(first, self.features());
                for queries in (0..tokens).step_by(QUERIES) {
                    let [q, grad] = [q, grad].map(|x| x.starting_at(queries, QUERIES));
                    let p = self.weights(q, k);
                    let mut ds = times(grad, v.transposed());
                    self.through_softmax(&p, &mut ds);
                    let [p, ds] = [&p, &ds].map(|x| Matrix::new(x, tokens));
                    let mut put = |values: &[f32], third: usize, row: usize| {
                        let rows = dqkv[row * 3 * width..].chunks_exact_mut(3 * width);
                        for (to, from) in rows.zip(values.chunks_exact(self.features())) {
                            add(&mut to[third * width + first..][..self.features()], from);
                        }
                    };
                    put(&times(ds, k), 0, queries);
                    put(&times(ds.transposed(), q), 1, 0);
                    put(&times(p.transposed(), grad), 2, 0);
                }
            }
        });
        dqkv
    }

    /// Fills `[samples, tokens, width]` with `of(sample, head, first query)`, each `[queries, features]`.
    fn by_queries(&self, qkv: &[f32], of: impl Fn(usize, usize, usize) -> Vec<f32> + Sync) -> Vec<f32> {
        let Self { tokens, width, .. } = *self;
        let queries = self.queries();
        written(qkv.len() / 3, |y| {
            y.par_chunks_mut(tokens * width).enumerate().for_each(|(sample, y)| {
                y.par_chunks_mut(queries * width).enumerate().for_each(|(task, y)| {
                    for head in 0..self.heads {
                        let values = of(sample, head, task * queries);
                        let rows = values.chunks_exact(self.features());
                        for (y, values) in y.chunks_exact_mut(width).zip(rows) {
                            y[head * self.features()..][..self.features()].write_copy_of_slice(values);
                        }
                    }
                });
            });
        })
    }

    /// `softmax(q·kᵀ/√features)`, `[q.rows, tokens]`.
    fn weights(&self, q: Matrix, k: Matrix) -> Vec<f32> {
        let mut weights = times(q, k.transposed());
        let scale = self.scale();
        for row in weights.chunks_exact_mut(self.tokens) {
            pointwise::softmax_in_place(row, scale);
        }
        weights
    }

    /// `v` becomes `p·(v − Σ p·v)/√features`, row by row: through the softmax and the scale of what it was taken of.
    fn through_softmax(&self, p: &[f32], v: &mut [f32]) {
        let scale = self.scale();
        for (p, v) in p.chunks_exact(self.tokens).zip(v.chunks_exact_mut(self.tokens)) {
            widest(Through { p, v, scale });
        }
    }
}

/// `a·b`.
fn times(a: Matrix, b: Matrix) -> Vec<f32> {
    let panels = Panels::new(b, a.rows);
    written(a.rows * b.columns, |y| {
        multiply(a, &panels, y);
    })
}

fn add(to: &mut [f32], x: &[f32]) {
    to.iter_mut().zip(x).for_each(|(to, x)| *to += x);
}

struct Through<'a> {
    p: &'a [f32],
    v: &'a mut [f32],
    scale: f32,
}

impl Loop for Through<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mean = sum([self.p, &*self.v], |[p, v]| p * v);
        for (v, p) in self.v.iter_mut().zip(self.p) {
            *v = p * (*v - mean) * self.scale;
        }
    }
}
