//! Densities of the plane as datasets: a fixed draw to train on and fresh draws to score against.

use chacha20::ChaCha8Rng;
use meanflow_settings::{Reader, Within};
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

use crate::dataset::{Dataset, Gaussians};
use crate::error::DataError;
use crate::kind::Description;
use crate::random;

/// The number of points a density is drawn with unless the experiment says otherwise.
pub const DEFAULT_POINTS: usize = 100_000;

/// Reads the key `seed`: that of the points, apart from the run's.
pub(crate) fn seed(r: &mut Reader, default: u64) -> u64 {
    r.get("seed", Within(0, Within::LARGEST), default as usize) as u64
}

/// A probability density on the plane with a number of modes.
pub trait Density: Send + Sync {
    /// One draw: a point, scaled to about unit variance, and the mode it came from (0 for a density in one
    /// piece).
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize);

    /// The density, if it is a mixture of Gaussians.
    fn gaussians(&self) -> Option<Gaussians> {
        None
    }
}

/// A dataset of points drawn from a density, `[2, 1, 1]` each.
pub struct Drawn<D> {
    name: &'static str,
    density: D,
    classes: Option<usize>,
    seed: u64,
    points: Vec<[f32; 2]>,
    modes: Vec<usize>,
}

impl<D: Density> Drawn<D> {
    /// Draws `count` points with the generator keyed by `seed`; with `classes`, a point's label is its mode.
    pub fn new(name: &'static str, density: D, classes: Option<usize>, count: usize, seed: u64) -> Self {
        let mut rng = random::keyed(seed, "points", 0);
        let (points, modes) = (0..count)
            .map(|_| density.draw(&mut rng))
            .map(|(point, mode)| (point.map(|x| x as f32), mode))
            .unzip();
        Self { name, density, classes, seed, points, modes }
    }
}

impl<D: Density> Dataset for Drawn<D> {
    fn name(&self) -> &str {
        self.name
    }

    fn len(&self) -> usize {
        self.points.len()
    }

    fn shape(&self) -> [usize; 3] {
        [2, 1, 1]
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        sample.copy_from_slice(&self.points[index]);
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.classes.map(|_| self.modes[index])
    }

    fn gaussians(&self) -> Option<Gaussians> {
        self.density.gaussians()
    }

    /// sha256 of the points as little-endian f32 pairs, then, with labels, one byte for each label.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for coordinate in self.points.as_flattened() {
            hash.update(coordinate.to_le_bytes());
        }
        if self.classes.is_some() {
            hash.update(self.modes.iter().map(|&mode| mode as u8).collect::<Vec<_>>());
        }
        format!("{:x}", hash.finalize())
    }

    fn held_out(&self, count: usize, seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        // Another name than the training draw's: an independent key whatever the seeds.
        let mut rng = random::keyed(self.seed, "held-out", seed);
        Ok(Some((0..count).flat_map(|_| self.density.draw(&mut rng).0.map(|x| x as f32)).collect()))
    }
}

/// What a drawn set of points in the plane is, after checking `points`.
pub(crate) fn describe(points: usize, classes: Option<usize>) -> Result<Description, DataError> {
    DataError::require((1..=10_000_000).contains(&points), "points", points, "must be from 1 to 10 million")?;
    Ok(Description { shape: [2, 1, 1], classes, items: Some(points) })
}

/// Checks the standard deviation of a density's noise.
pub(crate) fn check_noise(key: &'static str, std: f64) -> Result<(), DataError> {
    DataError::require((0.0..=1.0).contains(&std), key, std, "must be from 0 to 1")
}

/// A draw of N(0, std²) on the plane.
pub(crate) fn noise(rng: &mut ChaCha8Rng, std: f64) -> [f64; 2] {
    [(); 2].map(|()| std * Distribution::<f64>::sample(&StandardNormal, rng))
}
