//! `fd_pca64`.

use std::sync::Arc;

use ndarray::{ArrayView2, Axis};

use crate::{
    FdPca, MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value, metric::are_points,
};

/// Components that samples are projected on, where the real data has so many.
const COMPONENTS: usize = 64;

/// The Fréchet distance on the real data's first min(64, n − 1, dimension) principal components, [`FdPca`].
#[derive(Debug)]
pub struct FdPca64;

impl MetricKind for FdPca64 {
    fn name(&self) -> &'static str {
        "fd_pca64"
    }

    fn about(&self) -> &'static str {
        "Fréchet distance of pictures on 64 principal components of the real data"
    }

    fn explained(&self) -> &'static str {
        "Fréchet distance, |m₁−m₂|² + tr(S₁ + S₂ − 2(S₁S₂)^½), between Gaussians fitted to samples and data, on the \
             first 64 principal components of the real pixels, in double precision. It is not the FID: no feature network \
             is involved. Values compare only for the same data and the same n. A score in the features of a network, fd_efflite0, \
             stands beside it where `meanflow data fetch efficientnet-lite0` had put that network's weights before the run ended."
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        !are_points(shape) && shape.iter().product::<usize>() >= COMPONENTS
    }

    fn least(&self) -> usize {
        COMPONENTS + 1
    }

    /// A covariance and what its decomposition needs; the coordinates of all samples.
    fn doubles(&self, samples: usize, dimension: usize) -> usize {
        3 * dimension * dimension + COMPONENTS * samples
    }

    fn reference(&self, real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        let rows = real.rows(2)?;
        let components = COMPONENTS.min(rows.nrows() - 1).min(rows.ncols());
        Ok(Arc::new(Components(FdPca::fit(rows.view(), components)?)))
    }
}

#[derive(Debug)]
struct Components(FdPca);

impl MetricReference for Components {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        Ok(self.with_halves(samples, &[])?.0)
    }

    /// Samples are projected once.
    fn with_halves(
        &self,
        samples: &Samples<'_>,
        halves: &[Vec<usize>],
    ) -> Result<(Vec<Value>, Vec<Vec<f64>>), MetricError> {
        of_projected(&self.0, self.0.project(samples.rows)?.view(), halves)
    }

    fn components(&self) -> Option<&FdPca> {
        Some(&self.0)
    }
}

/// The distance of samples, and of halves of them, whose coordinates are these.
pub(crate) fn of_projected(
    pca: &FdPca,
    projected: ArrayView2<'_, f64>,
    halves: &[Vec<usize>],
) -> Result<(Vec<Value>, Vec<Vec<f64>>), MetricError> {
    let distance = |rows: ArrayView2<'_, f64>| Ok(pca.distance_of_projected(rows)?.frechet.distance);
    let with = vec![("components", pca.components() as f64), ("explained", pca.explained())];
    let value = Value::alone(distance(projected)?).with(with);
    let spread = halves.iter().map(|half| distance(projected.select(Axis(0), half).view()));
    Ok((vec![value], vec![spread.collect::<Result<_, MetricError>>()?]))
}
