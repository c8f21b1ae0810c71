//! A classifier of a labelled set, to score conditional samples with: trained on the set's training split, and tested on what was
//! set aside.

mod file;
mod train;

pub use file::{read, write};
pub use train::{Training, train};

use crate::{ScoreError, error::ensure};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use meanflow_core::Streams;
use meanflow_generator::side_by_side::{self, CHUNK};
use meanflow_nets::Classifier as Net;
use meanflow_state::{Named, with_parameters};

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
    /// The weights by path.
    pub weights: Named,
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

impl Classifier {
    /// Whether the weights are those of a classifier of this shape and are numbers.
    ///
    /// # Errors
    /// [`ScoreError::Unfit`], [`ScoreError::State`].
    pub fn check(&self) -> Result<(), ScoreError> {
        for (name, data) in &self.weights {
            if let Some(value) = data.iter::<f32>().find(|value| !value.is_finite()) {
                return Err(ScoreError::Unfit(format!("`{name}` holds the value {value}")));
            }
        }
        // The last layer says how many classes there are; a wrong number is found before a network of that size is made.
        let classes = self.weights.get("head.bias").and_then(|bias| bias.shape.to_vec().first().copied());
        ensure(classes == Some(self.classes), || {
            format!("its last layer is not one of {} classes", self.classes)
        })?;
        self.network::<burn::backend::Flex>(&Default::default()).map(drop)
    }

    /// What it sees in `pictures`, rows of its shape; `progress` is called with the number of
    /// more that are done.
    ///
    /// # Errors
    /// [`ScoreError::State`] if the weights are not those of a classifier of this shape, and what `progress` says.
    ///
    /// # Panics
    /// If `pictures` are no whole rows.
    pub fn look<B: Backend>(
        &self,
        pictures: &[f32],
        device: &B::Device,
        progress: impl FnMut(usize) -> Result<(), ScoreError>,
    ) -> Result<Seen, ScoreError> {
        look(&self.network::<B>(device)?, pictures, self.shape, device, progress)
    }

    fn network<B: Backend>(&self, device: &B::Device) -> Result<Net<B>, ScoreError> {
        let net = Net::init(self.shape[0], self.classes, &Streams::new(self.seed), device);
        Ok(with_parameters(net, self.weights.clone())?)
    }
}

/// What the network sees in `pictures`.
fn look<B: Backend>(
    net: &Net<B>,
    pictures: &[f32],
    shape: [usize; 3],
    device: &B::Device,
    mut progress: impl FnMut(usize) -> Result<(), ScoreError>,
) -> Result<Seen, ScoreError> {
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
            progress(seen.classes.len())?;
            all.classes.append(&mut seen.classes);
            all.features.append(&mut seen.features);
        }
    }
    Ok(all)
}

/// Place of the largest, the first of equals.
fn largest(values: &[f32]) -> usize {
    (0..values.len()).fold(0, |best, place| if values[place] > values[best] { place } else { best })
}

#[cfg(test)]
mod tests;
