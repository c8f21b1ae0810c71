//! Mean and variance of the numbers that a normalisation takes together.

use super::sum::sum;

/// Mean and `1/√(var + ε)`, the variance the biased one.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub(super) mean: f32,
    pub(super) scale: f32,
}

impl Moments {
    #[inline(always)]
    pub(super) fn of(x: &[f32], epsilon: f64) -> Self {
        let length = x.len() as f32;
        let mean = sum([x], |[x]| x) / length;
        let variance = sum([x], |[x]| (x - mean) * (x - mean)) / length;
        Self { mean, scale: (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32 }
    }

    #[inline(always)]
    pub(super) fn normal(&self, x: f32) -> f32 {
        (x - self.mean) * self.scale
    }
}
