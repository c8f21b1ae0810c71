//! `meanflow eval --metrics nll,modes`: points against the density that the real ones are drawn from.

use crate::args::{Eval, Usage};
use meanflow_data::{Dataset, Gaussians};
use meanflow_metrics::{Mixture, Source};
use ndarray::ArrayView2;

/// Mean negative log-likelihood of the samples, in nats.
const LIKELIHOOD: &str = "nll";
/// Which modes the samples reach.
const MODES: &str = "modes";

/// What is asked of a known density.
pub struct Asked(Vec<String>);

impl Asked {
    /// Takes the names that need a density out of `--metrics`; `None` if there are none.
    pub fn new(args: &mut Eval) -> Option<Self> {
        let is_own = |name: &String| name == LIKELIHOOD || name == MODES;
        let names: Vec<String> = args.metrics.iter().flatten().filter(|name| is_own(name)).cloned().collect();
        if let Some(metrics) = &mut args.metrics {
            metrics.retain(|name| !is_own(name));
        }
        (!names.is_empty()).then_some(Self(names))
    }

    /// Names and numbers of samples whose real ones are `data`.
    pub fn scores(
        &self,
        samples: &Source,
        indices: &[usize],
        data: &dyn Dataset,
    ) -> anyhow::Result<Vec<(String, f64)>> {
        let Some(Gaussians { centres, std }) = data.gaussians() else {
            let message =
                format!("{} needs a density that is known, that of eight-gaussians", self.0.join(", "));
            return Err(Usage(message).into());
        };
        let Source::Rows(rows) = samples else {
            return Err(Usage(format!("{} is for points", self.0.join(", "))).into());
        };
        let rows = rows.select(ndarray::Axis(0), indices);
        let centres = ArrayView2::from_shape((centres.len(), 2), centres.as_flattened()).expect("pairs");
        let mixture = Mixture::new(centres, std)?;
        let mut scores = Vec::new();
        for name in &self.0 {
            if name == LIKELIHOOD {
                scores.push((name.clone(), mixture.negative_log_likelihood(rows.view())?));
            } else {
                let found = mixture.modes(rows.view())?;
                for (part, value) in
                    [("covered", found.covered), ("near", found.near), ("imbalance", found.imbalance)]
                {
                    scores.push((format!("{name}_{part}"), value));
                }
            }
        }
        Ok(scores)
    }
}
