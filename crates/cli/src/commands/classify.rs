//! `meanflow eval --metrics accuracy,class_coverage`: what a trained classifier says of samples whose classes are known.

use crate::{
    args::{DeviceKind, Eval, Usage},
    commands::{progress::Progress, source},
    device::{Work, dispatch},
};
use anyhow::{Context, ensure};
use burn::tensor::backend::AutodiffBackend;
use meanflow_core::objective::TrainBackend;
use meanflow_data::{Dataset, read_rows};
use meanflow_metrics::{Source, Value, prdc};
use meanflow_train::{
    classifier::{Classifier, Seen},
    env::sha256,
};
use ndarray::{Array2, ArrayView2, Axis};
use serde_json::{Map, json};
use std::{fs, ops::Range, path::PathBuf};

/// Share of the samples that the classifier takes for the class they were asked for.
const ACCURACY: &str = "accuracy";
/// Coverage class by class in the numbers before the classifier's last layer, the mean over classes.
const COVERAGE: &str = "class_coverage";

/// A classifier and what is asked of it.
pub struct Judge {
    names: Vec<String>,
    classifier: Classifier,
    path: PathBuf,
    digest: String,
    device: DeviceKind,
    neighbours: usize,
}

/// One number of a judge.
pub struct Judged {
    pub name: String,
    pub value: Value,
    /// Digest of the real data that it was compared with.
    pub reference: Option<String>,
    /// What it depends on, and the value of each class.
    pub how: Map<String, serde_json::Value>,
}

/// Labelled samples.
pub struct Labelled<'a> {
    pub source: &'a Source,
    pub indices: &'a [usize],
    /// The class of each index.
    pub labels: Vec<usize>,
}

impl Judge {
    /// Takes the names that need a classifier out of `--metrics`; `None` if there are none.
    pub fn new(args: &mut Eval) -> anyhow::Result<Option<Self>> {
        let is_own = |name: &String| name == ACCURACY || name == COVERAGE;
        let names: Vec<String> = args.metrics.iter().flatten().filter(|name| is_own(name)).cloned().collect();
        if let Some(metrics) = &mut args.metrics {
            metrics.retain(|name| !is_own(name));
        }
        match (names.first(), &args.classifier) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                let message = format!("--classifier is for --metrics {ACCURACY} and {COVERAGE}");
                Err(Usage(message).into())
            }
            (Some(name), None) => Err(Usage(format!(
                "`{name}` needs a classifier: `meanflow train-classifier EXPERIMENT.toml --out FILE` makes one, and \
                 --classifier FILE gives it"
            ))
            .into()),
            (Some(_), Some(path)) => Ok(Some(Self {
                names,
                classifier: Classifier::read(path)?,
                path: path.clone(),
                digest: sha256(&fs::read(path).with_context(|| path.display().to_string())?),
                device: args.on.device,
                neighbours: args.neighbours,
            })),
        }
    }

    /// The numbers asked for. `classes` is how many classes the samples may have; `real` opens the labelled real data, which
    /// the coverage alone needs.
    pub fn scores(
        &self,
        samples: &Labelled,
        classes: usize,
        real: impl FnOnce() -> anyhow::Result<std::sync::Arc<dyn Dataset>>,
    ) -> anyhow::Result<Vec<Judged>> {
        let Source::Images(images) = samples.source else {
            anyhow::bail!("a classifier looks at pictures, and these are none");
        };
        ensure!(!samples.labels.is_empty(), "there are no samples");
        self.fits("the samples are", images.shape(), classes)?;
        let seen = self.look(samples.indices.len(), &|range| {
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
                let (found, count) = self.coverage(&seen, &samples.labels, &*real)?;
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
    fn fits(&self, what: &str, shape: [usize; 3], classes: usize) -> anyhow::Result<()> {
        let ([c, h, w], [oc, oh, ow]) = (shape, self.classifier.shape);
        ensure!(
            shape == self.classifier.shape && classes == self.classifier.classes,
            "{what} {c}×{h}×{w} of {classes} classes; {} is for {oc}×{oh}×{ow} of {}",
            self.path.display(),
            self.classifier.classes
        );
        Ok(())
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
        seen: &Seen,
        labels: &[usize],
        real: &dyn Dataset,
    ) -> anyhow::Result<(Vec<f64>, usize)> {
        let real_labels = labels_of(real, 0..real.len()).context("the real data")?;
        self.fits("the real data is", real.shape(), real.classes().unwrap_or(0))?;
        let found = self.look(real.len(), &|range| Ok(read_rows(real, range)?))?;
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
                .with_context(|| format!("{COVERAGE}: class {class}"))?;
            Ok(found.coverage)
        };
        let found = (0..self.classifier.classes).map(of_class).collect::<anyhow::Result<_>>()?;
        Ok((found, real.len()))
    }

    fn look(&self, count: usize, read: &Read) -> anyhow::Result<Seen> {
        dispatch(self.device, Look { classifier: &self.classifier, count, read })
    }
}

/// Classes of a data set's samples.
///
/// # Errors
/// If they have none.
pub fn labels_of(data: &dyn Dataset, indices: impl IntoIterator<Item = usize>) -> anyhow::Result<Vec<usize>> {
    let labels: Option<Vec<usize>> = indices.into_iter().map(|index| data.label(index)).collect();
    labels.with_context(|| format!("{} has no labels", data.name()))
}

type Read<'a> = dyn Fn(Range<usize>) -> anyhow::Result<Vec<f32>> + 'a;

struct Look<'a> {
    classifier: &'a Classifier,
    count: usize,
    read: &'a Read<'a>,
}

/// Pictures that are in memory at once.
const PART: usize = 4000;

impl Work for Look<'_> {
    type Output = Seen;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Seen> {
        let mut progress = Progress::new("classifying", self.count);
        let mut all = Seen { classes: Vec::new(), features: Vec::new() };
        for start in (0..self.count).step_by(PART) {
            let pictures = (self.read)(start..self.count.min(start + PART))?;
            let seen =
                self.classifier.look::<<B as AutodiffBackend>::InnerBackend>(&pictures, device, |done| {
                    progress.at(start + done);
                })?;
            all.classes.extend(seen.classes);
            all.features.extend(seen.features);
        }
        progress.finish();
        Ok(all)
    }
}
