//! The dark squares of a 4×4 checkerboard.

use std::sync::Arc;

use chacha20::ChaCha8Rng;
use meanflow_settings::{Flag, Reader, Within};

use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::density::{self, Density, Drawn};
use crate::error::DataError;
use crate::random;

/// Squares along a side; half of all squares are dark.
const SIDE: usize = 4;
const MODES: usize = SIDE * SIDE / 2;

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "checkerboard",
    description: "plane: the dark squares of a 4×4 checkerboard",
    origin: Origin::BuiltIn,
    read: |r| DataConfig::new(CheckerboardConfig::read(r)),
};

/// `[data.checkerboard]`: uniform on the 8 dark unit squares of [−2, 2]²; the variance of a coordinate is
/// 4/3.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckerboardConfig {
    /// Number of points to train on.
    pub points: usize,
    /// Seed of the points, apart from the run's.
    pub seed: u64,
    /// Whether a point's class is its square, row by row from below.
    pub labels: bool,
}

impl Default for CheckerboardConfig {
    fn default() -> Self {
        Self { points: density::DEFAULT_POINTS, seed: 0, labels: false }
    }
}

struct Checkerboard;

impl Density for Checkerboard {
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize) {
        let mode = random::below(rng, MODES);
        let row = mode / (SIDE / 2);
        // The lower left square is dark.
        let column = 2 * (mode % (SIDE / 2)) + row % 2;
        let [x, y] = [column, row].map(|corner| corner as f64 - SIDE as f64 / 2.0 + random::unit(rng));
        ([x, y], mode)
    }
}

impl CheckerboardConfig {
    /// Reads the keys of `[data.checkerboard]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::default();
        Self {
            points: r.get("points", Within::SAMPLES, default.points),
            seed: density::seed(r, default.seed),
            labels: r.get("labels", Flag, default.labels),
        }
    }
}

impl DataKind for CheckerboardConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        density::describe(self.points, self.labels.then_some(MODES))
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        let classes = self.describe()?.classes;
        Ok(Arc::new(Drawn::new(KIND.name, Checkerboard, classes, self.points, self.seed)))
    }
}
