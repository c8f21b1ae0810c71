//! `fd`; of Inception-v3 with the published weights it is `fid`.

use std::sync::Arc;

use crate::{
    MetricError, MetricKind, MetricReference, Moments, Real, Samples, Settings, Statistics, Value,
    metric::{Taken, Unasked},
    samples::{REAL, SAMPLES},
};

/// The Fréchet distance of rows, [`Statistics::distance`].
#[derive(Debug)]
pub struct Fd;

impl MetricKind for Fd {
    fn name(&self) -> &'static str {
        "fd"
    }

    fn about(&self) -> &'static str {
        "Fréchet distance; of pictures in a network: fid, sfid, fd_efflite0"
    }

    fn explained(&self) -> &'static str {
        "Fréchet distance between Gaussians fitted to samples and real data, in the features that its name says, in double precision. It is the FID only where it is called so: \
             other features give other values, which compare only for the same network, the same data and the same n."
    }

    fn taken(&self) -> Taken {
        Taken::Features
    }

    fn unasked(&self) -> Unasked {
        Unasked::Nowhere
    }

    fn takes_statistics(&self) -> bool {
        true
    }

    fn least(&self) -> usize {
        2
    }

    /// Two covariances, and what their product needs.
    fn doubles(&self, _samples: usize, dimension: usize) -> usize {
        4 * dimension * dimension
    }

    fn reference(&self, real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Gaussian(match real {
            Real::Statistics(statistics) => statistics.clone(),
            real => Arc::new(Moments::statistics(real.rows(1)?.view()).map_err(|error| error.of(REAL))?),
        })))
    }
}

/// The real data's mean and covariance.
#[derive(Debug)]
struct Gaussian(Arc<Statistics>);

impl MetricReference for Gaussian {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let distance = match samples.statistics {
            Some(known) => known.distance(&self.0)?,
            None => {
                let own = Moments::statistics(samples.rows).map_err(|error| error.of(SAMPLES))?;
                own.distance(&self.0)?
            }
        };
        Ok(vec![Value::alone(distance.distance)])
    }
}
