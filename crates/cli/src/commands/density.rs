//! `meanflow eval --metrics nll,modes`: points against the density that the real ones are drawn from.

use crate::{
    args::{Eval, Usage},
    commands::classify::of_share,
};
use meanflow_data::{Dataset, Gaussians};
use meanflow_metrics::{Mixture, Source, Value};
use ndarray::{ArrayView2, Axis};

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

    /// Refuses pictures.
    pub fn fits(&self, samples: &Source) -> anyhow::Result<()> {
        match samples {
            Source::Rows(_) => Ok(()),
            _ => Err(Usage(format!("{} is for points", self.0.join(", "))).into()),
        }
    }

    /// Names and numbers of samples whose real ones are `data`.
    pub fn scores(
        &self,
        samples: &Source,
        indices: &[usize],
        data: &dyn Dataset,
    ) -> anyhow::Result<Vec<(String, Value)>> {
        let Some(Gaussians { centres, std }) = data.gaussians() else {
            let message =
                format!("{} needs a density that is known, that of eight-gaussians", self.0.join(", "));
            return Err(Usage(message).into());
        };
        self.fits(samples)?;
        let Source::Rows(rows) = samples else { unreachable!("just seen") };
        let rows = rows.select(Axis(0), indices);
        let centres = ArrayView2::from_shape((centres.len(), 2), centres.as_flattened()).expect("pairs");
        let mixture = Mixture::new(centres, std)?;
        let mut scores = Vec::new();
        for name in &self.0 {
            if name == LIKELIHOOD {
                let value = mixture.negative_log_likelihood(rows.view())?;
                let each =
                    rows.outer_iter().map(|row| mixture.negative_log_likelihood(row.insert_axis(Axis(0))));
                let each = each.collect::<Result<Vec<f64>, _>>()?;
                scores.push((name.clone(), Value { interval: of_mean(value, &each), ..Value::alone(value) }));
            } else {
                let found = mixture.modes(rows.view())?;
                for (part, value) in
                    [("covered", found.covered), ("near", found.near), ("imbalance", found.imbalance)]
                {
                    let interval = (part == "near").then(|| of_share(value, rows.nrows()));
                    scores.push((format!("{name}_{part}"), Value { interval, ..Value::alone(value) }));
                }
            }
        }
        Ok(scores)
    }
}

/// A mean of values, two standard errors to both sides.
fn of_mean(mean: f64, values: &[f64]) -> Option<[f64; 2]> {
    let n = values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    (values.len() > 1).then_some([mean - 2.0 * error, mean + 2.0 * error])
}
