//! Grids of noise levels.

use crate::flow::SIGMA_MAX;

/// Noise levels from `min` to `max`, evenly spaced in `σ^(1/ρ)` (arXiv 2206.00364, eq. 5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelGrid {
    /// The smallest level.
    pub min: f64,
    /// The largest level.
    pub max: f64,
    /// `ρ`.
    pub rho: f64,
}

impl LevelGrid {
    /// That of EDM and of consistency models.
    pub const PUBLISHED: Self = Self { min: 0.002, max: SIGMA_MAX, rho: 7.0 };

    /// Level number `index` of `count`, ascending from 0; with one, it is the smallest.
    pub fn level(&self, index: usize, count: usize) -> f64 {
        let [low, high] = [self.min, self.max].map(|sigma| sigma.powf(1.0 / self.rho));
        let share = index as f64 / (count - 1).max(1) as f64;
        (low + share * (high - low)).powf(self.rho)
    }
}
