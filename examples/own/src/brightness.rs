//! A metric of one's own: how far the brightness of pictures is distributed from that of the data.

use meanflow::metrics::{MetricError, MetricKind, MetricReference, Real, Samples, Settings, Value};
use ndarray::{ArrayView2, Axis};
use std::sync::Arc;

/// `brightness_w1`: the 1-Wasserstein distance between the distributions of the mean pixel.
#[derive(Debug)]
pub struct Brightness;

impl MetricKind for Brightness {
    fn name(&self) -> &'static str {
        "brightness_w1"
    }

    fn about(&self) -> &'static str {
        "1-Wasserstein distance of the mean brightness of pictures"
    }

    fn applies_to(&self, shape: [usize; 3]) -> bool {
        shape[1..] != [1, 1]
    }

    fn reference(&self, real: &Real, _settings: &Settings) -> Result<Arc<dyn MetricReference>, MetricError> {
        Ok(Arc::new(Brightnesses(sorted(real.rows(1)?.view())?)))
    }
}

/// The brightness of the real pictures, ascending.
#[derive(Debug)]
struct Brightnesses(Vec<f64>);

impl MetricReference for Brightnesses {
    fn values(&self, samples: &Samples<'_>) -> Result<Vec<Value>, MetricError> {
        let (real, fake) = (&self.0, sorted(samples.rows)?);
        // ∫ |F⁻¹(q) − G⁻¹(q)| dq at as many quantiles as the larger set has values.
        let n = real.len().max(fake.len());
        let at = |values: &[f64], i: usize| values[i * values.len() / n];
        let sum: f64 = (0..n).map(|i| (at(real, i) - at(&fake, i)).abs()).sum();
        Ok(vec![Value::alone(sum / n as f64)])
    }
}

/// The mean of each row, ascending.
fn sorted(rows: ArrayView2<'_, f32>) -> Result<Vec<f64>, MetricError> {
    let mut means = Vec::new();
    for (row, values) in rows.axis_iter(Axis(0)).enumerate() {
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
        if !mean.is_finite() {
            let (set, value) = ("the pictures", mean.to_string());
            return Err(MetricError::NotFinite { set, row, column: 0, value });
        }
        means.push(mean);
    }
    if means.is_empty() {
        return Err(MetricError::TooFewSamples { what: "a distribution of brightness", needed: 1, got: 0 });
    }
    means.sort_by(f64::total_cmp);
    Ok(means)
}
