//! Every random number of a run: counter-based generators keyed by seed, stream name and step.

use chacha20::ChaCha8Rng;
use meanflow_random::keyed;
pub use meanflow_random::open_unit;
use rand_distr::{Distribution, StandardNormal};

/// The named random streams of one run.
///
/// A draw depends on the seed, the stream's name and the step alone, so it is the same on every device, after a resume,
/// and whatever was drawn before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of the run with this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The generator of stream `name` at `step`.
    pub fn rng(&self, name: &str, step: u64) -> ChaCha8Rng {
        keyed(self.seed, name, step)
    }

    /// `count` draws of N(0, 1) from stream `name` at `step`.
    pub fn normal(&self, name: &str, step: u64, count: usize) -> Vec<f32> {
        self.normals(name, step).take(count).collect()
    }

    /// The draws of [`normal`](Self::normal) one after the other, so that they need not all be kept.
    pub fn normals(&self, name: &str, step: u64) -> impl Iterator<Item = f32> + use<> {
        let mut rng = self.rng(name, step);
        std::iter::repeat_with(move || StandardNormal.sample(&mut rng))
    }
}
