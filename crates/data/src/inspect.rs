//! A look at a dataset: counts, ranges, class balance, moments and a contact sheet.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::dataset::{Dataset, labels_in_turn, read_rows};
use crate::error::DataError;
use crate::grid::{density_png, grid_png};

/// What [`inspect`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The dataset's name.
    pub name: String,
    /// Number of samples.
    pub items: usize,
    /// Shape of one sample, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Samples of each class, if there are classes.
    pub class_counts: Option<Vec<usize>>,
    /// Each channel on its own; for points, each coordinate.
    pub channels: Vec<ChannelStats>,
    /// Files that were passed over, by the ending of their names.
    pub passed_over: BTreeMap<String, usize>,
    /// sha256 of the raw data.
    pub digest: String,
}

/// Statistics of one channel over all samples and pixels, in f64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelStats {
    /// Smallest value.
    pub minimum: f32,
    /// Largest value.
    pub maximum: f32,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (division by the count).
    pub std: f64,
}

impl Inspection {
    /// For programs.
    pub fn json(&self) -> Value {
        let channel = |channel: &ChannelStats| {
            let ChannelStats { minimum, maximum, mean, std } = channel;
            json!({"minimum": minimum, "maximum": maximum, "mean": mean, "std": std})
        };
        let channels: Vec<Value> = self.channels.iter().map(channel).collect();
        json!({
            "name": self.name, "items": self.items, "shape": self.shape, "classes": self.class_counts,
            "channels": channels, "passed_over": self.passed_over, "sha256": self.digest,
        })
    }
}

/// A line each, without one at the end.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [channels, height, width] = self.shape;
        writeln!(f, "name     {}\nitems    {}", self.name, self.items)?;
        writeln!(f, "shape    {channels}×{height}×{width}")?;
        for (index, ChannelStats { minimum, maximum, mean, std }) in self.channels.iter().enumerate() {
            writeln!(f, "channel {index}  {minimum} to {maximum}, mean {mean:.4}, std {std:.4}")?;
        }
        if let Some(counts) = &self.class_counts {
            writeln!(f, "classes  {counts:?}")?;
        }
        if !self.passed_over.is_empty() {
            let files = self.passed_over.iter().map(|(ending, count)| format!("{count} {ending}"));
            writeln!(f, "passed over  {}", files.collect::<Vec<_>>().join(", "))?;
        }
        write!(f, "sha256   {}", self.digest)
    }
}

/// Reads every sample once and counts.
///
/// # Errors
/// Those of [`Dataset::read`].
pub fn inspect(dataset: &dyn Dataset) -> Result<Inspection, DataError> {
    let shape = dataset.shape();
    let pixels = shape[1] * shape[2];
    let mut sample = vec![0.0; shape[0] * pixels];
    let mut sums = vec![Sums::default(); shape[0]];
    let mut class_counts = dataset.classes().map(|classes| vec![0; classes]);
    for index in 0..dataset.len() {
        dataset.read(index, &mut sample)?;
        for (channel, sums) in sample.chunks_exact(pixels).zip(&mut sums) {
            channel.iter().for_each(|&x| sums.add(x));
        }
        if let (Some(counts), Some(label)) = (&mut class_counts, dataset.label(index)) {
            counts[label] += 1;
        }
    }
    let channels = sums.into_iter().map(Sums::stats).collect();
    Ok(Inspection {
        name: dataset.name().to_owned(),
        items: dataset.len(),
        shape,
        class_counts,
        channels,
        passed_over: dataset.passed_over(),
        digest: dataset.digest(),
    })
}

/// Running mean and sum of squared deviations (Welford, 1962): no cancellation however far the mean is from
/// 0.
#[derive(Clone)]
struct Sums {
    count: f64,
    minimum: f32,
    maximum: f32,
    mean: f64,
    squares: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self { count: 0.0, minimum: f32::INFINITY, maximum: f32::NEG_INFINITY, mean: 0.0, squares: 0.0 }
    }
}

impl Sums {
    fn add(&mut self, x: f32) {
        self.count += 1.0;
        self.minimum = self.minimum.min(x);
        self.maximum = self.maximum.max(x);
        let off = f64::from(x) - self.mean;
        self.mean += off / self.count;
        self.squares += off * (f64::from(x) - self.mean);
    }

    fn stats(self) -> ChannelStats {
        ChannelStats {
            minimum: self.minimum,
            maximum: self.maximum,
            mean: self.mean,
            std: (self.squares / self.count).sqrt(),
        }
    }
}

/// Writes a picture of the dataset: of images, the first ten of each class (or the first hundred), one class
/// a column; of points, their density. Latents are shown as [`grid_png`] does.
///
/// # Errors
/// Those of [`Dataset::read`], and [`DataError::Write`] if the file cannot be written.
///
/// # Panics
/// If the dataset is empty.
pub fn contact_sheet(dataset: &dyn Dataset, path: &Path) -> Result<(), DataError> {
    let [channels, height, width] = dataset.shape();
    if [channels, height, width] == [2, 1, 1] {
        return density_png(&read_rows(dataset, 0..dataset.len())?, path);
    }
    let columns = dataset.classes().unwrap_or(10).min(20);
    let indices = match dataset.classes() {
        // In turn over all classes gives whole columns only if a row holds them all.
        Some(classes) if classes == columns => labels_in_turn(dataset, 10 * columns),
        _ => (0..dataset.len().min(100)).collect(),
    };
    let count = indices.len();
    let scale = (64 / height.max(width)).max(1);
    grid_png(&read_rows(dataset, indices)?, [count, channels, height, width], columns, scale, path)
}
