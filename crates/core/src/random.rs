//! Every random number of a run: counter-based generators keyed by seed, stream name and step.

use chacha20::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
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
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The generator of stream `name` at `step`.
    pub fn rng(&self, name: &str, step: u64) -> ChaCha8Rng {
        // Key: the seed and a 128-bit FNV-1a hash of the name, so that two streams of a run never share a key.
        let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        for byte in name.bytes() {
            hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..24].copy_from_slice(&hash.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(step);
        rng
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

/// A uniform draw in the open interval (0, 1), in f64 with 53 bits.
pub fn open_unit(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
}
