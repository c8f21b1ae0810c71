//! `meanflow eval --metrics nll,modes`: points against the density that the real ones are drawn from.

use crate::{ScoreError, request::take};
use meanflow_data::{Dataset, Gaussians};
use meanflow_metrics::{Mixture, Source, Value};
use ndarray::{Array2, ArrayView2, Axis};

/// Mean negative log-likelihood of the samples, in nats.
const LIKELIHOOD: &str = "nll";
/// Which modes the samples reach.
const MODES: &str = "modes";

/// What is asked of a known density.
pub(crate) struct Asked(Vec<String>);

impl Asked {
    /// Takes the names that need a density out of `--metrics`; `None` if there are none.
    pub fn new(metrics: &mut Option<Vec<String>>) -> Option<Self> {
        let names = take(metrics, &[LIKELIHOOD, MODES]);
        (!names.is_empty()).then_some(Self(names))
    }

    /// The points, if these are points.
    pub fn points<'a>(&self, samples: &'a Source) -> Result<&'a Array2<f32>, ScoreError> {
        match samples {
            Source::Rows(rows) => Ok(rows),
            _ => Err(ScoreError::Request(format!("{} is for points", self.0.join(", ")))),
        }
    }

    /// Names and numbers of those points whose real ones are `data`.
    pub fn scores(
        &self,
        points: &Array2<f32>,
        indices: &[usize],
        data: &dyn Dataset,
    ) -> Result<Vec<(String, Value)>, ScoreError> {
        let Some(Gaussians { centres, std }) = data.gaussians() else {
            let message =
                format!("{} needs a density that is known, that of eight-gaussians", self.0.join(", "));
            return Err(ScoreError::Request(message));
        };
        let rows = points.select(Axis(0), indices);
        let centres = ArrayView2::from_shape((centres.len(), 2), centres.as_flattened()).expect("pairs");
        let mixture = Mixture::new(centres, std)?;
        let mut scores = Vec::new();
        for name in &self.0 {
            if name == LIKELIHOOD {
                let each = mixture.negative_log_likelihoods(rows.view())?;
                scores.push((name.clone(), Value::mean(&each)));
            } else {
                let found = mixture.modes(rows.view())?;
                scores.extend([
                    (format!("{name}_covered"), Value::alone(found.covered)),
                    (format!("{name}_near"), Value::share(found.near, rows.nrows())),
                    (format!("{name}_imbalance"), Value::alone(found.imbalance)),
                ]);
            }
        }
        Ok(scores)
    }
}
