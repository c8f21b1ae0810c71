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

    /// Fréchet distances in the network's features: of the other real images, then of each of `samples`, to the real images.
    ///
    /// # Errors
    /// [`TrainError::Weights`] for a file of other weights, [`TrainError::Metric`], [`TrainError::Stopped`].
    pub fn distances<B: Backend>(
        &self,
        samples: &[Vec<f32>],
        device: &B::Device,
        watched: &mut Watched<'_>,
    ) -> Result<Scored, TrainError> {
        let network =
            EfficientNetLite0::<B>::new(&self.weights, device).map_err(|e| wrong(&self.path, &e))?;
        let network = FeatureNetwork::EfficientNetLite0(Box::new(network));
        let sets = 2 + samples.len();
        watched
            .observer
            .on(Event::Task { what: format!("{NAME} of {sets} sets of images"), parts: sets as u64 });
        let named = |error: MetricError| TrainError::Metric { metric: NAME, error };
        let mut moments = |images: &[f32]| -> Result<Moments, TrainError> {
            let images = Images::floats(images.to_vec(), self.shape);
            let all: Vec<usize> = (0..images.len()).collect();
            let mut moments = Moments::new(EfficientNetLite0::<B>::FEATURES);
            let mut result = Ok(());
            network
                .visit(&images, &all, Quantise::Round, device, |features| {
                    if result.is_ok() {
                        result = moments.add(features.pooled.view());
                    }
                    Ok(())
                })
                .map_err(|error| wrong(&self.path, &error))?;
            watched.part()?;
            result.map(|()| moments).map_err(named)
        };
        let real = moments(&self.real)?;
        let (mean, covariance) = (real.mean().map_err(named)?, real.covariance().map_err(named)?);
        let mut distance = |images: &[f32]| -> Result<f64, TrainError> {
            let found = moments(images)?;
            let (m, s) = (found.mean().map_err(named)?, found.covariance().map_err(named)?);
            Ok(frechet(&mean, covariance.view(), &m, s.view()).map_err(named)?.distance)
        };
        Ok(Scored {
            floor: distance(&self.other)?,
            values: samples.iter().map(|images| distance(images)).collect::<Result<_, _>>()?,
            n: self.count(),
            reference: format!("{} real images", self.count()),
        })
    }
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
                metrics: vec![meanflow_metrics::Metric::FdPca64],
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
