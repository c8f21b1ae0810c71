//! `fd_efflite0` at the end of a run, where the weights of its network are at hand.

use super::Scored;
use crate::{
    TrainError,
    config::{EvalConfig, Lite0},
    progress::{Event, Watched},
};
use burn::{backend::Flex, tensor::backend::Backend};
use meanflow_metrics::{
    Images, InputError, MetricError, Moments, Quantise, frechet,
    networks::{EfficientNetLite0, FeatureNetwork, LITE0_PATH, Weights},
};
use std::path::{Path, PathBuf};

/// The name of the score.
pub(super) const NAME: &str = "fd_efflite0";

/// The network's weights with real images: those that samples are compared with, and as many others for the floor.
pub(super) struct FeatureScore {
    path: PathBuf,
    weights: Weights,
    shape: [usize; 3],
    real: Vec<f32>,
    other: Vec<f32>,
}

impl FeatureScore {
    /// Whether the score is to be computed, and of which file.
    pub fn file(config: &EvalConfig, shape: [usize; 3]) -> Option<PathBuf> {
        // Without any metric, nothing but what was asked for is scored.
        let pictures = matches!(shape[0], 1 | 3) && shape[1] * shape[2] > 1 && !config.metrics.is_empty();
        match &config.efflite0 {
            Lite0::Auto => pictures.then(|| PathBuf::from(LITE0_PATH)).filter(|path| path.is_file()),
            Lite0::Off => None,
            Lite0::File(path) => Some(path.clone()),
        }
    }

    /// Reads the weights; `real` and `other` are equally many images of `shape`.
    ///
    /// # Errors
    /// [`TrainError::Weights`].
    pub fn new(
        path: PathBuf,
        shape: [usize; 3],
        real: Vec<f32>,
        other: Vec<f32>,
    ) -> Result<Self, TrainError> {
        let weights = Weights::read(&path).map_err(|error| wrong(&path, &error))?;
        let (found, published) = (weights.digest(), EfficientNetLite0::<Flex>::SHA256);
        if found != published {
            let reason = format!(
                "its sha256 is {found}; `{NAME}` is taken with the published file, of {published}: \
                 `meanflow data fetch efficientnet-lite0` gets it, and eval.efflite0 = \"off\" does without"
            );
            return Err(TrainError::Weights { path, reason });
        }
        Ok(Self { path, weights, shape, real, other })
    }

    /// Images of each set.
    pub fn count(&self) -> usize {
        self.real.len() / self.shape.iter().product::<usize>()
    }

    /// The network, which has seen no samples yet.
    ///
    /// # Errors
    /// [`TrainError::Weights`] for a file of other weights.
    pub fn network<B: Backend>(&self, device: &B::Device) -> Result<Seen<'_, B>, TrainError> {
        let network =
            EfficientNetLite0::<B>::new(&self.weights, device).map_err(|e| wrong(&self.path, &e))?;
        let network = FeatureNetwork::EfficientNetLite0(Box::new(network));
        Ok(Seen { score: self, network, device: device.clone(), sets: Vec::new(), set: Set::new::<B>() })
    }
}

/// What the network has seen of some sets of samples: moments, and no pictures but the last few.
pub(super) struct Seen<'a, B: Backend> {
    score: &'a FeatureScore,
    network: FeatureNetwork<B>,
    device: B::Device,
    sets: Vec<Moments>,
    set: Set,
}

/// A set of samples that is not complete.
struct Set {
    moments: Moments,
    /// Values that the network has not seen yet.
    values: Vec<f32>,
    /// Samples that it has seen.
    count: usize,
}

impl Set {
    fn new<B: Backend>() -> Self {
        Self { moments: Moments::new(EfficientNetLite0::<B>::FEATURES), values: Vec::new(), count: 0 }
    }
}

/// Samples that the network sees at a time: whole batches of it, so that the parts they come in change no bit.
const ROWS: usize = 1000;

impl<B: Backend> Seen<'_, B> {
    /// Takes the next samples of a set; what is more than the score compares is passed over.
    ///
    /// # Errors
    /// [`TrainError::Metric`] for values that are not finite.
    pub fn add(&mut self, samples: &[f32]) -> Result<(), TrainError> {
        let dimension: usize = self.score.shape.iter().product();
        for sample in samples.chunks_exact(dimension) {
            let held = self.set.values.len() / dimension;
            if self.set.count + held == self.score.count() {
                break;
            }
            self.set.values.extend_from_slice(sample);
            if held + 1 == ROWS {
                self.look()?;
            }
        }
        Ok(())
    }

    /// Ends a set of samples; the next one begins.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn end_of_set(&mut self) -> Result<(), TrainError> {
        self.look()?;
        self.sets.push(std::mem::replace(&mut self.set, Set::new::<B>()).moments);
        Ok(())
    }

    /// Fréchet distances in the network's features: of the other real images, then of each set, to the real images.
    ///
    /// # Errors
    /// [`TrainError::Metric`], [`TrainError::Stopped`].
    pub fn distances(&self, watched: &mut Watched<'_>) -> Result<Scored, TrainError> {
        watched.observer.on(Event::Task { what: format!("{NAME} of real images"), parts: 2 });
        let mut of = |images: &[f32]| -> Result<Moments, TrainError> {
            let mut moments = Set::new::<B>().moments;
            self.see(images.to_vec(), &mut moments)?;
            watched.part()?;
            Ok(moments)
        };
        let (real, other) = (of(&self.score.real)?, of(&self.score.other)?);
        let (mean, covariance) = (real.mean().map_err(named)?, real.covariance().map_err(named)?);
        let distance = |moments: &Moments| -> Result<f64, TrainError> {
            let (m, s) = (moments.mean().map_err(named)?, moments.covariance().map_err(named)?);
            Ok(frechet(&mean, covariance.view(), &m, s.view()).map_err(named)?.distance)
        };
        Ok(Scored {
            floor: distance(&other)?,
            values: self.sets.iter().map(distance).collect::<Result<_, _>>()?,
            n: self.score.count(),
            reference: format!("{} real images", self.score.count()),
        })
    }

    fn look(&mut self) -> Result<(), TrainError> {
        let mut set = std::mem::replace(&mut self.set, Set::new::<B>());
        let values = std::mem::take(&mut set.values);
        set.count += values.len() / self.score.shape.iter().product::<usize>();
        self.see(values, &mut set.moments)?;
        self.set = set;
        Ok(())
    }

    /// Adds the features of images to the moments.
    fn see(&self, images: Vec<f32>, moments: &mut Moments) -> Result<(), TrainError> {
        let images = Images::floats(images, self.score.shape);
        let all: Vec<usize> = (0..images.len()).collect();
        let mut result = Ok(());
        self.network
            .visit(&images, &all, Quantise::Round, &self.device, |features| {
                if result.is_ok() {
                    result = moments.add(features.pooled.view());
                }
                Ok::<(), InputError>(())
            })
            .map_err(|error| wrong(&self.score.path, &error))?;
        result.map_err(named)
    }
}

fn named(error: MetricError) -> TrainError {
    TrainError::Metric { metric: NAME, error }
}

fn wrong(path: &Path, error: &InputError) -> TrainError {
    TrainError::Weights { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_have_the_score_and_only_with_weights() {
        let file = |efflite0, shape| {
            let config = EvalConfig {
                every: 1,
                samples: 2,
                nfe: vec![1],
                solver: meanflow_core::Solver::MeanFlow,
                guidance: None,
                times: Default::default(),
                seed: 0,
                metrics: vec![meanflow_metrics::METRICS[3]],
                grid: 1,
                efflite0,
            };
            FeatureScore::file(&config, shape)
        };
        let named = PathBuf::from("x.pth");
        assert_eq!(file(Lite0::File(named.clone()), [1, 28, 28]), Some(named));
        assert_eq!(file(Lite0::Off, [3, 32, 32]), None);
        // The tests run where no weights are.
        assert_eq!(file(Lite0::Auto, [3, 32, 32]), None);
        assert_eq!(file(Lite0::Auto, [4, 32, 32]), None);
    }

    #[test]
    fn a_file_of_something_else_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.pth");
        let open = || FeatureScore::new(path.clone(), [1, 4, 4], vec![0.0; 32], vec![0.0; 32]);
        assert!(open().err().unwrap().to_string().contains("weights.pth"));
        std::fs::write(&path, b"no weights").unwrap();
        assert!(open().err().unwrap().to_string().contains("weights.pth"));
        // Whole, and not the published ones.
        let path = path.with_extension("safetensors");
        std::fs::write(&path, b"\x02\0\0\0\0\0\0\0{}").unwrap();
        let other = FeatureScore::new(path, [1, 4, 4], vec![0.0; 32], vec![0.0; 32]);
        let said = other.err().unwrap().to_string();
        assert!(said.contains("weights.safetensors") && said.contains("sha256"), "{said}");
    }
}
