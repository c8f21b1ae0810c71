//! `meanflow eval --metrics accuracy,class_coverage`: what a trained classifier says of samples whose classes are known.

use crate::{
    Machine, ScoreError, Work,
    classifier::{Classifier, Seen},
    error::{Of, ensure},
    home::Home,
    request::{Request, take},
    source,
};
use burn::tensor::backend::Backend;
use meanflow_data::{Dataset, read_rows};
use meanflow_metrics::{Source, Value, prdc};
use ndarray::{Array2, ArrayView2, Axis};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use std::{fs, ops::Range, path::PathBuf, sync::Arc};

/// Share of the samples that the classifier takes for the class they were asked for.
const ACCURACY: &str = "accuracy";
/// Coverage class by class in the numbers before the classifier's last layer, the mean over classes.
const COVERAGE: &str = "class_coverage";

/// A classifier and what is asked of it.
pub(crate) struct Judge {
    names: Vec<String>,
    classifier: Classifier,
    path: PathBuf,
    digest: String,
    neighbours: usize,
}

/// One number of a judge.
pub(crate) struct Judged {
    pub name: String,
    pub value: Value,
    /// Digest of the real data that it was compared with.
    pub reference: Option<String>,
    /// What it depends on, and the value of each class.
    pub how: Map<String, serde_json::Value>,
}

/// Labelled samples.
pub(crate) struct Labelled<'a> {
    pub source: &'a Source,
    pub indices: &'a [usize],
    /// The class of each index.
    pub labels: Vec<usize>,
}

impl Judge {
    /// Takes the names that need a classifier out of `--metrics`; `None` if there are none.
    pub fn new(home: &impl Home, request: &mut Request) -> Result<Option<Self>, ScoreError> {
        let names = take(&mut request.metrics, &[ACCURACY, COVERAGE]);
        match (names.first(), &request.classifier) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                let message = format!("--classifier is for --metrics {ACCURACY} and {COVERAGE}");
                Err(ScoreError::Request(message))
            }
            (Some(name), None) => Err(ScoreError::Request(format!(
                "`{name}` needs a classifier: `meanflow train-classifier EXPERIMENT.toml --out FILE` makes one, and \
                 --classifier FILE gives it"
            ))),
            (Some(_), Some(path)) => Ok(Some(Self {
                names,
                classifier: home.classifier(path)?,
                path: path.clone(),
                digest: format!("{:x}", Sha256::digest(fs::read(path).of(|| path.display().to_string())?)),
                neighbours: request.settings.neighbours,
            })),
        }
    }

    /// The numbers asked for. `classes` is how many classes the samples may have; `real` opens the labelled real data, which
    /// the coverage alone needs.
    pub fn scores(
        &self,
        machine: &impl Machine,
        samples: &Labelled,
        classes: usize,
        real: impl FnOnce() -> Result<Arc<dyn Dataset>, ScoreError>,
    ) -> Result<Vec<Judged>, ScoreError> {
        let Source::Images(images) = samples.source else {
            return Err(ScoreError::Unfit("a classifier looks at pictures, and these are none".to_owned()));
        };
        ensure(!samples.labels.is_empty(), || "there are no samples".to_owned())?;
        self.fits("the samples are", images.shape(), classes)?;
        let seen = self.look(machine, samples.indices.len(), &|range| {
            Ok(images.rows(&samples.indices[range])?.into_raw_vec_and_offset().0)
        })?;
        let mut scores = Vec::new();
        let mut real = Some(real);
        for name in &self.names {
            let mut how = Map::new();
            how.insert("classifier".to_owned(), json!(self.path));
            how.insert("classifier_sha256".to_owned(), json!(self.digest));
            how.insert("classifier_accuracy".to_owned(), json!(self.classifier.accuracy));
            let mut reference = None;
            let value = if name == ACCURACY {
                how.insert("by_class".to_owned(), json!(self.accuracies(&seen, &samples.labels)));
                Value::share(seen.accuracy(&samples.labels), samples.labels.len())
            } else {
                let Some(real) = real.take() else { continue };
                let real = real()?;
                let (found, count) = self.coverage(machine, &seen, &samples.labels, &*real)?;
                reference = Some(source::of_dataset(real.clone())?.digest()?);
                how.insert("reference_n".to_owned(), json!(count));
                how.insert("neighbours".to_owned(), json!(self.neighbours));
                let mean = found.iter().sum::<f64>() / found.len() as f64;
                how.insert("by_class".to_owned(), json!(found));
                Value::alone(mean)
            };
            scores.push(Judged { name: name.clone(), value, reference, how });
        }
        Ok(scores)
    }

    /// Refuses pictures that the classifier was not made for.
    fn fits(&self, what: &str, shape: [usize; 3], classes: usize) -> Result<(), ScoreError> {
        let ([c, h, w], [oc, oh, ow]) = (shape, self.classifier.shape);
        ensure(shape == self.classifier.shape && classes == self.classifier.classes, || {
            format!(
                "{what} {c}×{h}×{w} of {classes} classes; {} is for {oc}×{oh}×{ow} of {}",
                self.path.display(),
                self.classifier.classes
            )
        })
    }

    /// The accuracy of each class; none of a class without samples.
    fn accuracies(&self, seen: &Seen, labels: &[usize]) -> Vec<Option<f64>> {
        let of_class = |class| {
            let all: Vec<bool> = labels
                .iter()
                .zip(&seen.classes)
                .filter(|(label, _)| **label == class)
                .map(|(label, seen)| label == seen)
                .collect();
            let right = all.iter().filter(|right| **right).count();
            (!all.is_empty()).then(|| right as f64 / all.len() as f64)
        };
        (0..self.classifier.classes).map(of_class).collect()
    }

    /// The coverage of each class, and how many real pictures there are.
    fn coverage(
        &self,
        machine: &impl Machine,
        seen: &Seen,
        labels: &[usize],
        real: &dyn Dataset,
    ) -> Result<(Vec<f64>, usize), ScoreError> {
        let real_labels = labels_of(real, 0..real.len()).of(|| "the real data".to_owned())?;
        self.fits("the real data is", real.shape(), real.classes().unwrap_or(0))?;
        let found = self.look(machine, real.len(), &|range| Ok(read_rows(real, range)?))?;
        let rows = |seen: &Seen, labels: &[usize], class: usize| -> Array2<f32> {
            let width = seen.features.len() / seen.classes.len();
            let all =
                ArrayView2::from_shape((seen.classes.len(), width), &seen.features).expect("whole rows");
            let chosen: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
            all.select(Axis(0), &chosen)
        };
        let of_class = |class: usize| {
            let (real, samples) = (rows(&found, &real_labels, class), rows(seen, labels, class));
            let found = prdc(real.view(), samples.view(), self.neighbours)
                .of(|| format!("{COVERAGE}: class {class}"))?;
            Ok(found.coverage)
        };
        let found = (0..self.classifier.classes).map(of_class).collect::<Result<_, ScoreError>>()?;
        Ok((found, real.len()))
    }

    fn look(&self, machine: &impl Machine, count: usize, read: &Read) -> Result<Seen, ScoreError> {
        machine.begin("classifying", count);
        let seen = machine.run(Look { machine, classifier: &self.classifier, count, read });
        machine.end();
        seen.of(|| self.path.display().to_string())
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

type Read<'a> = dyn Fn(Range<usize>) -> Result<Vec<f32>, ScoreError> + 'a;

struct Look<'a, M> {
    machine: &'a M,
    classifier: &'a Classifier,
    count: usize,
    read: &'a Read<'a>,
}

/// Pictures that are in memory at once.
const PART: usize = 4000;

impl<M: Machine> Work for Look<'_, M> {
    type Output = Seen;

    fn on<B: Backend>(self, device: &B::Device) -> Result<Seen, ScoreError> {
        let mut all = Seen { classes: Vec::new(), features: Vec::new() };
        for start in (0..self.count).step_by(PART) {
            let pictures = (self.read)(start..self.count.min(start + PART))?;
            let seen = self.classifier.look::<B>(&pictures, device, |more| self.machine.more(more))?;
            all.classes.extend(seen.classes);
            all.features.extend(seen.features);
        }
        Ok(all)
    }
}
