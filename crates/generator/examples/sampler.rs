//! Pictures from a trained generator, in a program of one's own:
//! `cargo run --release -p meanflow-generator --example sampler -- garments.safetensors grid.png`

use meanflow_data::grid_png;
use meanflow_generator::Sampler;
use std::{path::Path, time::Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: sampler FILE.safetensors OUT.png".into());
    };
    let sampler = Sampler::load(file)?.seed(7).nfe(1);
    let start = Instant::now();
    let pictures = sampler.sample(64)?;
    println!("64 samples of {:?} in {:.1?}", &pictures.shape[1..], start.elapsed());
    let start = Instant::now();
    sampler.sample(1)?;
    println!("one in {:.2?}", start.elapsed());
    grid_png(&pictures.values, pictures.shape, 8, 2, Path::new(&out))?;
    Ok(())
}
