//! Two arms of an Archimedean spiral.

use std::f64::consts::TAU;
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use meanflow_settings::{Flag, Number, Reader, Within};

use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::density::{self, Density, Drawn};
use crate::error::DataError;
use crate::random;

const MODES: usize = 2;
const TURNS: f64 = 1.5;
const RADIUS: f64 = 2.0;

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "two-spirals",
    description: "plane: two arms of a spiral",
    origin: Origin::BuiltIn,
    read: |r| DataConfig::new(TwoSpiralsConfig::read(r)),
};

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

impl TwoSpiralsConfig {
    /// Reads the keys of `[data.two-spirals]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::default();
        Self {
            points: r.get("points", Within::SAMPLES, default.points),
            seed: density::seed(r, default.seed),
            labels: r.get("labels", Flag, default.labels),
            noise: r.get("noise", Number::NOT_NEGATIVE, default.noise),
        }
    }
}

impl DataKind for TwoSpiralsConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        density::check_noise("noise", self.noise)?;
        density::describe(self.points, self.labels.then_some(MODES))
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        let classes = self.describe()?.classes;
        Ok(Arc::new(Drawn::new(
            KIND.name,
            TwoSpirals { noise: self.noise },
            classes,
            self.points,
            self.seed,
        )))
    }
}
