//! The Swiss roll, seen from its end.

use std::f64::consts::PI;
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use meanflow_settings::{Number, Reader, Within};

use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::density::{self, Density, Drawn};
use crate::error::DataError;
use crate::random;

/// The roll's outer radius; its angle runs from 3π/2 to 9π/2 and its radius grows with it.
const RADIUS: f64 = 2.0;

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "swiss-roll",
    description: "plane: a rolled-up line",
    origin: Origin::BuiltIn,
    read: |r| DataConfig::new(SwissRollConfig::read(r)),
};

/// `[data.swiss-roll]`: (ρ cos θ, ρ sin θ) with θ uniform in [3π/2, 9π/2] and ρ = 2θ/(9π/2).
#[derive(Clone, Debug, PartialEq)]
pub struct SwissRollConfig {
    /// Number of points to train on.
    pub points: usize,
    /// Seed of the points, apart from the run's.
    pub seed: u64,
    /// Standard deviation of the noise about the roll.
    pub noise: f64,
}

impl Default for SwissRollConfig {
    fn default() -> Self {
        Self { points: density::DEFAULT_POINTS, seed: 0, noise: 0.05 }
    }
}

struct SwissRoll {
    noise: f64,
}

impl Density for SwissRoll {
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize) {
        let share = (1.0 + 2.0 * random::unit(rng)) / 3.0;
        let (sin, cos) = (4.5 * PI * share).sin_cos();
        let [dx, dy] = density::noise(rng, self.noise);
        ([RADIUS * share * cos + dx, RADIUS * share * sin + dy], 0)
    }
}

impl SwissRollConfig {
    /// Reads the keys of `[data.swiss-roll]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::default();
        Self {
            points: r.get("points", Within::SAMPLES, default.points),
            seed: density::seed(r, default.seed),
            noise: r.get("noise", Number::NOT_NEGATIVE, default.noise),
        }
    }
}

impl DataKind for SwissRollConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        density::check_noise("noise", self.noise)?;
        density::describe(self.points, None)
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.describe()?;
        Ok(Arc::new(Drawn::new(KIND.name, SwissRoll { noise: self.noise }, None, self.points, self.seed)))
    }
}
