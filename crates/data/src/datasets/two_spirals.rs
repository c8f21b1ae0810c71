//! Two arms of an Archimedean spiral.

use std::f64::consts::TAU;
use std::sync::Arc;

use chacha20::ChaCha8Rng;

use crate::config::{DataKind, Description};
use crate::dataset::Dataset;
use crate::density::{self, Density, Drawn};
use crate::error::DataError;
use crate::random;

const MODES: usize = 2;
const TURNS: f64 = 1.5;
const RADIUS: f64 = 2.0;

/// `[data.two-spirals]`: ρ·(cos 3πρ/2, sin 3πρ/2) and its point reflection, ρ = 2√U with U uniform; the mean
/// square radius without noise is 2.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoSpiralsConfig {
    /// Number of points to train on.
    pub points: usize,
    /// Seed of the points, apart from the run's.
    pub seed: u64,
    /// Whether a point's class is its arm.
    pub labels: bool,
    /// Standard deviation of the noise about the arms.
    pub noise: f64,
}

impl Default for TwoSpiralsConfig {
    fn default() -> Self {
        Self { points: density::DEFAULT_POINTS, seed: 0, labels: false, noise: 0.05 }
    }
}

struct TwoSpirals {
    noise: f64,
}

impl Density for TwoSpirals {
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize) {
        let mode = random::below(rng, MODES);
        // The square root spreads the points about evenly along the arm.
        let along = random::unit(rng).sqrt();
        let (sin, cos) = (TURNS * TAU * along).sin_cos();
        let radius = if mode == 0 { RADIUS * along } else { -RADIUS * along };
        let [dx, dy] = density::noise(rng, self.noise);
        ([radius * cos + dx, radius * sin + dy], mode)
    }
}

impl DataKind for TwoSpiralsConfig {
    fn describe(&self) -> Result<Description, DataError> {
        density::check_noise("noise", self.noise)?;
        density::describe(self.points, self.labels.then_some(MODES))
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        let classes = self.describe()?.classes;
        Ok(Arc::new(Drawn::new(
            "two-spirals",
            TwoSpirals { noise: self.noise },
            classes,
            self.points,
            self.seed,
        )))
    }
}
