//! A classifier of a labelled set, to score conditional samples with: trained on the set's training split, tested on what was
//! set aside, and kept in a file that describes itself.

mod train;

pub use train::{Training, train};

use crate::{
    TrainError,
    side_by_side::{self, CHUNK},
    tensor_file,
};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use meanflow_core::Streams;
use meanflow_nets::Classifier as Net;
use meanflow_optim::state::{Named, with_parameters};
use std::path::{Path, PathBuf};

/// A trained classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// Shape of a picture, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Share of the test pictures that it recognises.
    pub accuracy: f64,
    /// Number of test pictures.
    pub tested: usize,
    /// Number of pictures that it was trained on.
    pub trained: usize,
    /// Passes through them.
    pub epochs: usize,
    /// Seed of its weights and of the order of the pictures.
    pub seed: u64,
    /// sha256 of the data.
    pub data: String,
    weights: Named,
}

/// What a classifier sees in some pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The most likely class of each.
    pub classes: Vec<usize>,
    /// The numbers before the last layer, row after row, [`FEATURES`](Net::FEATURES) for each.
    pub features: Vec<f32>,
}

impl Seen {
    /// Share of the pictures whose most likely class is the one in `labels`.
    ///
    /// # Panics
    /// If there are not as many labels as pictures, or none.
    pub fn accuracy(&self, labels: &[usize]) -> f64 {
        assert!(!labels.is_empty() && labels.len() == self.classes.len(), "a label for each picture");
        let right = self.classes.iter().zip(labels).filter(|(seen, label)| seen == label).count();
        right as f64 / labels.len() as f64
    }
}

const FORMAT: &str = "meanflow-classifier-1";

impl Classifier {
    /// Writes weights and metadata to a safetensors file.
    ///
    /// # Errors
    /// [`TrainError::Write`]; an earlier file of this name is untouched then.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        let path = std::path::absolute(path).map_err(TrainError::write(path))?;
        let entries = [
            ("format", FORMAT.to_owned()),
            ("shape", self.shape.map(|size| size.to_string()).join(" ")),
            ("classes", self.classes.to_string()),
            ("accuracy", self.accuracy.to_string()),
            ("tested", self.tested.to_string()),
            ("trained", self.trained.to_string()),
            ("epochs", self.epochs.to_string()),
            ("seed", self.seed.to_string()),
            ("data", self.data.clone()),
        ];
        let metadata = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        tensor_file::write(&path, &self.weights, metadata)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// [`TrainError::Read`], or [`TrainError::Weights`] for a truncated or foreign file, or one whose weights are not those of
    /// a classifier of this shape or are no numbers.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let broken = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
        let (metadata, weights) = tensor_file::read(path, broken)?;
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            let help = "`meanflow train-classifier` writes one";
            return Err(broken(format!("it is not marked as `{FORMAT}`; {help}")));
        }
        let entry = |key: &str| metadata.get(key).ok_or_else(|| broken(format!("it has no `{key}`")));
        let wrong = |key: &str| broken(format!("its `{key}` cannot be read"));
        let count = |key: &str| entry(key)?.parse::<usize>().map_err(|_| wrong(key));
        let sizes: Option<Vec<usize>> = entry("shape")?.split(' ').map(|size| size.parse().ok()).collect();
        let shape = sizes.and_then(|sizes| <[usize; 3]>::try_from(sizes).ok());
        let shape = shape.filter(|sizes| !sizes.contains(&0)).ok_or_else(|| wrong("shape"))?;
        let accuracy = entry("accuracy")?.parse().map_err(|_| wrong("accuracy"))?;
        for (name, data) in &weights {
            if let Some(value) = data.iter::<f32>().find(|value| !value.is_finite()) {
                return Err(broken(format!("`{name}` holds the value {value}")));
            }
        }
        let classifier = Self {
            shape,
            classes: count("classes")?,
            accuracy: Some(accuracy)
                .filter(|share| (0.0..=1.0).contains(share))
                .ok_or_else(|| wrong("accuracy"))?,
            tested: count("tested")?,
            trained: count("trained")?,
            epochs: count("epochs")?,
            seed: entry("seed")?.parse().map_err(|_| wrong("seed"))?,
            data: entry("data")?.clone(),
            weights,
        };
        // The last layer says how many classes there are; a wrong number is found before a network of that size is made.
        let classes =
            classifier.weights.get("head.bias").and_then(|bias| bias.shape.to_vec().first().copied());
        if classes != Some(classifier.classes) {
            return Err(broken(format!("its last layer is not one of {} classes", classifier.classes)));
        }
        let fits = classifier.network::<burn::backend::Flex>(&Default::default());
        fits.map_err(|error| match error {
            TrainError::State { error, .. } => TrainError::State { path: path.to_owned(), error },
            other => other,
        })?;
        Ok(classifier)
    }

    /// What it sees in `pictures`, rows of its shape; `progress` is called with the number done.
    ///
    /// # Errors
    /// [`TrainError::State`] if the weights are not those of a classifier of this shape.
    ///
    /// # Panics
    /// If `pictures` are no whole rows.
    pub fn look<B: Backend>(
        &self,
        pictures: &[f32],
        device: &B::Device,
        progress: impl FnMut(usize),
    ) -> Result<Seen, TrainError> {
        Ok(look(&self.network::<B>(device)?, pictures, self.shape, device, progress))
    }

    fn network<B: Backend>(&self, device: &B::Device) -> Result<Net<B>, TrainError> {
        let net = Net::init(self.shape[0], self.classes, &Streams::new(self.seed), device);
        with_parameters(net, self.weights.clone())
            .map_err(|error| TrainError::State { path: PathBuf::from("the classifier"), error })
    }
}

/// What the network sees in `pictures`.
fn look<B: Backend>(
    net: &Net<B>,
    pictures: &[f32],
    shape: [usize; 3],
    device: &B::Device,
    mut progress: impl FnMut(usize),
) -> Seen {
    let [channels, height, width] = shape;
    let size = channels * height * width;
    assert!(pictures.len().is_multiple_of(size), "{} values for {shape:?}", pictures.len());
    let chunk = |(net, pictures): (Net<B>, &[f32])| {
        let rows = pictures.len() / size;
        let x = TensorData::new(pictures.to_vec(), [rows, channels, height, width]);
        let features = net.features(Tensor::from_data(x, device));
        let logits: Vec<f32> = net.logits(features.clone()).into_data().iter().collect();
        let classes = logits.chunks(logits.len() / rows).map(largest).collect();
        Seen { classes, features: features.into_data().iter().collect() }
    };
    let mut all = Seen { classes: Vec::new(), features: Vec::new() };
    let chunks: Vec<&[f32]> = pictures.chunks(CHUNK * size).collect();
    for group in chunks.chunks(side_by_side::chunks::<B>(device)) {
        let items = group.iter().map(|&pictures| (net.clone(), pictures)).collect();
        for mut seen in side_by_side::map::<B, _, _>(device, items, chunk) {
            all.classes.append(&mut seen.classes);
            all.features.append(&mut seen.features);
            progress(all.classes.len());
        }
    }
    all
}

/// Place of the largest, the first of equals.
fn largest(values: &[f32]) -> usize {
    (0..values.len()).fold(0, |best, place| if values[place] > values[best] { place } else { best })
}

#[cfg(test)]
mod tests;
