//! A trained classifier, and what it says of pictures whose classes are known.

use crate::{
    Machine, ScoreError, Work,
    classifier::{Classifier, Seen},
    error::{Of, ensure},
};
use burn::tensor::backend::Backend;
use meanflow_data::Dataset;
use meanflow_metrics::Images;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A classifier with its file.
#[derive(Clone, Debug)]
pub struct Judge {
    classifier: Classifier,
    path: PathBuf,
    digest: String,
}

impl Judge {
    /// The classifier that was read from this file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn new(classifier: Classifier, path: &Path) -> Result<Self, ScoreError> {
        let bytes = fs::read(path).of(|| path.display().to_string())?;
        Ok(Self { classifier, path: path.to_owned(), digest: format!("{:x}", Sha256::digest(bytes)) })
    }

    /// Refuses pictures that the classifier was not made for.
    pub(crate) fn fits(&self, what: &str, shape: [usize; 3], classes: usize) -> Result<(), ScoreError> {
        let ([c, h, w], [oc, oh, ow]) = (shape, self.classifier.shape);
        ensure(shape == self.classifier.shape && classes == self.classifier.classes, || {
            format!(
                "{what} {c}×{h}×{w} of {classes} classes; {} is for {oc}×{oh}×{ow} of {}",
                self.path.display(),
                self.classifier.classes
            )
        })
    }

    /// What it depends on that a score is of this classifier.
    pub(crate) fn how(&self) -> Map<String, Json> {
        let entries = [
            ("classifier", json!(self.path)),
            ("classifier_sha256", json!(self.digest)),
            ("classifier_accuracy", json!(self.classifier.accuracy)),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// What it sees in some pictures.
    pub(crate) fn look(
        &self,
        machine: &impl Machine,
        images: &Images,
        indices: &[usize],
    ) -> Result<Seen, ScoreError> {
        let look = Look { machine, classifier: &self.classifier, images, indices };
        machine.run(look).of(|| self.path.display().to_string())
    }
}

/// Classes of a data set's samples.
///
/// # Errors
/// If they have none.
pub(crate) fn labels_of(
    data: &dyn Dataset,
    indices: impl IntoIterator<Item = usize>,
) -> Result<Vec<usize>, ScoreError> {
    let labels: Option<Vec<usize>> = indices.into_iter().map(|index| data.label(index)).collect();
    labels.ok_or_else(|| ScoreError::Unfit(format!("{} has no labels", data.name())))
}

struct Look<'a, M> {
    machine: &'a M,
    classifier: &'a Classifier,
    images: &'a Images,
    indices: &'a [usize],
}

/// Pictures that are in memory at once.
const PART: usize = 4000;

impl<M: Machine> Work for Look<'_, M> {
    type Output = Seen;

    fn on<B: Backend>(self, device: &B::Device) -> Result<Seen, ScoreError> {
        let mut all = Seen { classes: Vec::new(), features: Vec::new() };
        for indices in self.indices.chunks(PART) {
            let pictures = self.images.rows(indices)?.into_raw_vec_and_offset().0;
            let seen = self.classifier.look::<B>(&pictures, device, |more| self.machine.more(more))?;
            all.classes.extend(seen.classes);
            all.features.extend(seen.features);
        }
        Ok(all)
    }
}
