//! Milliseconds a picture in EfficientNet-Lite0: `cargo run --release -p meanflow-metrics --example lite0_speed WEIGHTS [COUNT]`,
//! with the weights that `meanflow data fetch efficientnet-lite0` gets. `scripts/lite0_onnx.py` times ONNX Runtime.

use std::{error::Error, path::Path, time::Instant};

use burn::backend::Flex;
use meanflow_metrics::{
    Images, Quantise,
    networks::{EfficientNetLite0, FeatureNetwork, Weights},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let weights = arguments.next().ok_or("give WEIGHTS [COUNT]")?;
    let count: usize = arguments.next().map_or(Ok(256), |count| count.parse())?;
    let device = Default::default();
    let net = EfficientNetLite0::<Flex>::new(&Weights::read(Path::new(&weights))?, &device)?;
    let network = FeatureNetwork::EfficientNetLite0(Box::new(net));
    let side = 32;
    let bytes = |count: usize| (0..count * 3 * side * side).map(|k| (k * k % 251) as u8).collect::<Vec<_>>();
    let each = |start: Instant, count: usize| 1e3 * start.elapsed().as_secs_f64() / count as f64;
    let start = Instant::now();
    let some = bytes(16);
    (0..count.div_ceil(16)).for_each(|_| drop(network.input(&some, [3, side, side], &device)));
    println!("enlarging {side}×{side}   {:>6.2} ms a picture", each(start, count));
    let all = Images::bytes(bytes(count), [3, side, side]);
    let indices: Vec<usize> = (0..count).collect();
    network.features(&all, &indices[..count.min(16)], Quantise::Round, &device, |_| ())?;
    let start = Instant::now();
    network.features(&all, &indices, Quantise::Round, &device, |_| ())?;
    let threads = std::thread::available_parallelism()?;
    println!("with the network   {:>6.2} ms a picture, {threads} processors", each(start, count));
    Ok(())
}
