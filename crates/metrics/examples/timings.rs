//! Seconds of the expensive host scores at the size of a published evaluation: `cargo run --release -p meanflow-metrics
//! --example timings [rows]`. Features are seeded noise with a falling spectrum, as real ones have.

use std::time::Instant;

use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
use meanflow_metrics::{MetricError, Moments, Statistics, kid, prdc};
use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};

const DIMENSION: usize = 2048;

fn features(rows: usize, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((rows, DIMENSION), |(_, column)| {
        let draw: f32 = StandardNormal.sample(&mut rng);
        draw / (1.0 + column as f32 / 50.0) + 0.1 * seed as f32
    })
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T, MetricError>) -> Result<T, MetricError> {
    let start = Instant::now();
    let result = work()?;
    println!("{what:<32} {:>7.2} s", start.elapsed().as_secs_f64());
    Ok(result)
}

fn main() -> Result<(), MetricError> {
    let rows = std::env::args().nth(1).and_then(|rows| rows.parse().ok()).unwrap_or(10_000);
    println!("{rows} × {DIMENSION}, {} threads", rayon::current_num_threads());
    let (real, fake) = (features(rows, 0), features(rows, 1));
    let statistics = |set: &Array2<f32>| {
        let mut moments = Moments::new(DIMENSION);
        moments.add(set.view())?;
        Statistics::of(&moments)
    };
    let first = timed("mean and covariance", || statistics(&real))?;
    let second = statistics(&fake)?;
    timed("Fréchet distance", || first.distance(&second))?;
    timed("precision, recall, density, coverage", || prdc(real.view(), fake.view(), 5))?;
    timed("KID of all", || kid(real.view(), fake.view()))?;
    Ok(())
}
