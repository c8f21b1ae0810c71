//! What the Fréchet distance in EfficientNet-Lite0 says of damaged pictures: `cargo run --release -p meanflow-metrics --example
//! damage_ladder TRAIN TEST WEIGHTS N [DAMAGE…]`, with two files of grey pictures in the IDX format, raw, and the weights that
//! `meanflow data fetch efficientnet-lite0` gets. N pictures of TRAIN are set against N of TEST, as they are and with noise and
//! blur. Names of damages (`test`, `noise-10`, `blur-0.5`, …) leave out the others.

use std::{error::Error, path::Path, time::Instant};

use burn::backend::Flex;
use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
use meanflow_metrics::{
    Images, Input, Metric, Quantise, Real, Settings,
    networks::{EfficientNetLite0, FeatureNetwork, Weights},
};
use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};

/// `n` pictures of an IDX file, a keyed choice, and their height and width.
fn pictures(path: &Path, n: usize, seed: u64) -> Result<(Vec<u8>, [usize; 2]), Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let header =
        |at: usize| bytes.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let [Some(0x803), Some(count), Some(height), Some(width)] = [0, 4, 8, 12].map(header) else {
        return Err(format!("{}: no raw idx3-ubyte file", path.display()).into());
    };
    let size = height * width;
    if bytes.len() != 16 + count * size || n > count {
        return Err(format!("{}: {} bytes, {count} pictures, {n} wanted", path.display(), bytes.len()).into());
    }
    let chosen = Input::choice(count, n, seed);
    Ok((chosen.iter().flat_map(|&k| bytes[16 + k * size..][..size].to_vec()).collect(), [height, width]))
}

fn noisy(pixels: &[u8], sigma: f64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
    pixels.iter().map(|&pixel| (f64::from(pixel) + sigma * draw()).round() as u8).collect()
}

/// Gaussian blur, edges repeated.
fn blurred(pixels: &[u8], [height, width]: [usize; 2], sigma: f64) -> Vec<u8> {
    let reach = (4.0 * sigma).ceil() as isize;
    let kernel: Vec<f64> = (-reach..=reach).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let total: f64 = kernel.iter().sum();
    let along = |values: &[f64], step: usize, size: usize| -> Vec<f64> {
        let at = |index: usize, k: usize| {
            let place = (index / step) % size;
            let other = (place as isize + k as isize - reach).clamp(0, size as isize - 1) as usize;
            values[index + other * step - place * step]
        };
        let sum =
            |index| kernel.iter().enumerate().map(|(k, weight)| weight * at(index, k)).sum::<f64>() / total;
        (0..values.len()).map(sum).collect()
    };
    let values: Vec<f64> = pixels.iter().copied().map(f64::from).collect();
    let rows = along(&values, 1, width);
    along(&rows, width, height).iter().map(|value| value.round() as u8).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [train, test, weights, n, wanted @ ..] = &arguments[..] else {
        return Err("give TRAIN TEST WEIGHTS N, and damages".into());
    };
    let n: usize = n.parse()?;
    let device = Default::default();
    let net = EfficientNetLite0::<Flex>::new(&Weights::read(Path::new(weights))?, &device)?;
    let network = FeatureNetwork::EfficientNetLite0(Box::new(net));
    let (train, size) = pictures(Path::new(train), n, 0)?;
    let (test, test_size) = pictures(Path::new(test), n, 1)?;
    if size != test_size {
        return Err(format!("pictures of {size:?} and of {test_size:?}").into());
    }
    let shape = [1, size[0], size[1]];
    let features = |pixels: Vec<u8>| -> Result<Array2<f32>, Box<dyn Error>> {
        let images = Images::bytes(pixels, shape);
        let all: Vec<usize> = (0..images.len()).collect();
        Ok(network.features(&images, &all, Quantise::Round, &device, |_| ())?.pooled)
    };
    let ladder: [(&str, &dyn Fn() -> Vec<u8>); 7] = [
        ("test", &|| test.clone()),
        ("noise-10", &|| noisy(&test, 10.0)),
        ("noise-30", &|| noisy(&test, 30.0)),
        ("noise-80", &|| noisy(&test, 80.0)),
        ("blur-0.5", &|| blurred(&test, size, 0.5)),
        ("blur-1", &|| blurred(&test, size, 1.0)),
        ("blur-2", &|| blurred(&test, size, 2.0)),
    ];
    if let Some(name) = wanted.iter().find(|name| ladder.iter().all(|(known, _)| known != name)) {
        return Err(format!("{name}: known are {}", ladder.map(|(known, _)| known).join(", ")).into());
    }
    let start = Instant::now();
    let real = features(train)?;
    eprintln!("{:.1} ms a picture", 1e3 * start.elapsed().as_secs_f64() / n as f64);
    let settings = Settings { repeats: 0, ..Settings::default() };
    for (name, damaged) in ladder {
        if !wanted.is_empty() && !wanted.iter().any(|other| other == name) {
            continue;
        }
        let rows = features(damaged())?;
        let real = Real::Rows(real.to_shared());
        let value = |name: &str| {
            let metric = Metric::named(name).expect("a built-in metric");
            metric.evaluate(rows.view(), &real, &settings)
        };
        let (distance, kid) = (value("fd")?, value("kid")?);
        println!("{name:<12} fd_efflite0 {:>8.2}  kid_efflite0 {:>9.5}", distance[0].value, kid[0].value);
    }
    Ok(())
}
