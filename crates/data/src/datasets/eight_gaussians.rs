//! Eight Gaussians on a circle.

use std::f64::consts::{SQRT_2, TAU};
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use meanflow_settings::{Flag, Number, Reader, Within};

use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::{Dataset, Gaussians};
use crate::density::{self, Density, Drawn};
use crate::error::DataError;
use crate::random;

const MODES: usize = 8;

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "eight-gaussians",
    description: "plane: eight Gaussians on a circle",
    origin: Origin::BuiltIn,
    read: |r| DataConfig::new(EightGaussiansConfig::read(r)),
};

/// `[data.eight-gaussians]`: centres √2·(cos kπ/4, sin kπ/4), k = 0 … 7, as likely each; the variance of a
/// coordinate is 1 + std².
#[derive(Clone, Debug, PartialEq)]
pub struct EightGaussiansConfig {
    /// Number of points to train on.
    pub points: usize,
    /// Seed of the points, apart from the run's.
    pub seed: u64,
    /// Whether a point's class is its Gaussian.
    pub labels: bool,
    /// Standard deviation of each Gaussian.
    pub std: f64,
}

impl Default for EightGaussiansConfig {
    fn default() -> Self {
        Self { points: density::DEFAULT_POINTS, seed: 0, labels: false, std: 0.15 }
    }
}

struct EightGaussians {
    std: f64,
}

impl Density for EightGaussians {
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize) {
        let mode = random::below(rng, MODES);
        let ([x, y], [dx, dy]) = (centre(mode), density::noise(rng, self.std));
        ([x + dx, y + dy], mode)
    }

    fn gaussians(&self) -> Option<Gaussians> {
        Some(Gaussians { centres: (0..MODES).map(centre).collect(), std: self.std })
    }
}

fn centre(mode: usize) -> [f64; 2] {
    let (sin, cos) = (TAU * mode as f64 / MODES as f64).sin_cos();
    [SQRT_2 * cos, SQRT_2 * sin]
}

impl EightGaussiansConfig {
    /// Reads the keys of `[data.eight-gaussians]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::default();
        Self {
            points: r.get("points", Within::SAMPLES, default.points),
            seed: density::seed(r, default.seed),
            labels: r.get("labels", Flag, default.labels),
            std: r.get("std", Number::NOT_NEGATIVE, default.std),
        }
    }
}

impl DataKind for EightGaussiansConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        density::check_noise("std", self.std)?;
        density::describe(self.points, self.labels.then_some(MODES))
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        let classes = self.describe()?.classes;
        Ok(Arc::new(Drawn::new(
            KIND.name,
            EightGaussians { std: self.std },
            classes,
            self.points,
            self.seed,
        )))
    }
}
