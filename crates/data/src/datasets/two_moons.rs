//! Two interleaved half circles.

use std::f64::consts::PI;
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use meanflow_settings::{Flag, Number, Reader, Within};

use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::density::{self, Density, Drawn};
use crate::error::DataError;
use crate::random;

const MODES: usize = 2;
/// Brings the moons, 3 wide, to the width of [−2, 2].
const SCALE: f64 = 4.0 / 3.0;

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "two-moons",
    description: "plane: two interleaved half circles",
    origin: Origin::BuiltIn,
    read: |r| DataConfig::new(TwoMoonsConfig::read(r)),
};

/// `[data.two-moons]`: half circles of radius 4/3, the second turned by half a turn about the origin; without
/// noise x lies in [−2, 2], y in [−1, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct TwoMoonsConfig {
    /// Number of points to train on.
    pub points: usize,
    /// Seed of the points, apart from the run's.
    pub seed: u64,
    /// Whether a point's class is its moon.
    pub labels: bool,
    /// Standard deviation of the noise about the half circles.
    pub noise: f64,
}

impl Default for TwoMoonsConfig {
    fn default() -> Self {
        Self { points: density::DEFAULT_POINTS, seed: 0, labels: false, noise: 0.08 }
    }
}

struct TwoMoons {
    noise: f64,
}

impl Density for TwoMoons {
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize) {
        let mode = random::below(rng, MODES);
        let (sin, cos) = (PI * random::unit(rng)).sin_cos();
        // In the usual units the first moon is (cos θ, sin θ), the second (1 − cos θ, ½ − sin θ): point
        // reflections in (½, ¼), which becomes the origin.
        let sign = if mode == 0 { SCALE } else { -SCALE };
        let [dx, dy] = density::noise(rng, self.noise);
        ([sign * (cos - 0.5) + dx, sign * (sin - 0.25) + dy], mode)
    }
}

impl TwoMoonsConfig {
    /// Reads the keys of `[data.two-moons]`.
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

impl DataKind for TwoMoonsConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        density::check_noise("noise", self.noise)?;
        density::describe(self.points, self.labels.then_some(MODES))
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        let classes = self.describe()?.classes;
        Ok(Arc::new(Drawn::new(KIND.name, TwoMoons { noise: self.noise }, classes, self.points, self.seed)))
    }
}
