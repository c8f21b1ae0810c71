//! How fast the loader reads latents from gzipped HDF5 chunks, and in how much memory.
//!
//! ```text
//! cargo run --release -p meanflow-data --example hdf5_throughput -- [ROWS] [latents|moments] [FOLDER]
//! ```
//!
//! Writes ROWS (65,536) latents of 4×32×32 in chunks of 64 rows into FOLDER (a temporary one) unless they are
//! there already, then reads one epoch in batches of 256.

use std::path::PathBuf;
use std::time::Instant;

use chacha20::ChaCha8Rng;
use meanflow_data::random::of_sample;
use meanflow_data::{
    Conversion, Cursor, DataConfig, DataError, Dataset, Element, Field, Hdf5Config, Loader, LoaderConfig,
    convert,
};
use rand_distr::{Distribution, StandardNormal};

/// Normal numbers with the labels of ImageNet.
struct Noise {
    rows: usize,
    field: &'static str,
    channels: usize,
}

impl Dataset for Noise {
    fn name(&self) -> &str {
        "noise"
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn shape(&self) -> [usize; 3] {
        [self.channels, 32, 32]
    }

    fn classes(&self) -> Option<usize> {
        Some(1000)
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        let mut rng: ChaCha8Rng = of_sample(0, self.field, 0, index);
        sample.fill_with(|| StandardNormal.sample(&mut rng));
        Ok(())
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field { name: self.field, element: Element::F32, shape: self.shape() }]
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index % 1000)
    }

    fn digest(&self) -> String {
        String::new()
    }

    fn held_out(&self, _count: usize, _seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}

fn main() -> Result<(), DataError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rows = arguments.first().and_then(|rows| rows.parse().ok()).unwrap_or(65_536);
    let (field, channels) = match arguments.get(1).map(String::as_str) {
        Some("moments") => ("moments", 8),
        _ => ("latents", 4),
    };
    let temporary = std::env::temp_dir().join(format!("hdf5-throughput-{}", std::process::id()));
    let folder = arguments.get(2).map_or(temporary, PathBuf::from);
    if folder.read_dir().map_or(true, |mut files| files.next().is_none()) {
        let start = Instant::now();
        let files = convert(&Noise { rows, field, channels }, &folder, Conversion::default(), &mut |_| ())?;
        println!("wrote {rows} rows in {} files in {:.1} s", files.len(), start.elapsed().as_secs_f64());
    }
    println!("peak memory after writing {}", peak_memory());

    let start = Instant::now();
    let data = DataConfig::new(Hdf5Config::new(&folder)).open()?;
    println!("opened in {:.2} s", start.elapsed().as_secs_f64());
    let config = LoaderConfig { batch: 256, seed: 0, flip: false, augment: None, prefetch: 4 };
    let mut loader = Loader::new(data.clone(), config, Cursor::default())?;
    let start = Instant::now();
    let batches = data.len() / config.batch;
    for _ in 0..batches {
        loader.next_batch()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let read = batches * config.batch;
    println!("read {read} rows in {seconds:.1} s: {:.0} a second", read as f64 / seconds);
    println!("peak memory {}", peak_memory());
    Ok(())
}

/// Peak resident memory of this process, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |line| line.trim().to_owned())
}
