//! The inception score.

use ndarray::{ArrayView2, s};

use crate::{MetricError, samples::check};

/// The result of [`inception_score`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InceptionScore {
    /// Mean over the splits; from 1 to the number of classes, higher is better.
    pub mean: f64,
    /// Standard deviation over the splits (divided by their number).
    pub std: f64,
}

/// The inception score: `exp(mean over samples of KL(p(y|x) ‖ p(y)))` for each of `splits` consecutive parts of the
/// samples.
///
/// T. Salimans et al., "Improved techniques for training GANs", NeurIPS 2016; the softmax is taken here, in f64. Split k
/// has the rows from `k·n/splits` to `(k + 1)·n/splits`, both rounded down; rows are not shuffled. It is the score of the
/// literature when the logits are those of the FID's network, with 10 splits.
///
/// # Shapes
/// `logits`: `[n, classes]`.
///
/// # Errors
/// No splits, fewer samples than splits, values that are not finite.
pub fn inception_score<T: Copy + Into<f64>>(
    logits: ArrayView2<'_, T>,
    splits: usize,
) -> Result<InceptionScore, MetricError> {
    if splits == 0 {
        return Err(MetricError::Zero("splits"));
    }
    check(logits, "the logits", splits)?;
    let n = logits.nrows();
    let scores: Vec<f64> = (0..splits)
        .map(|split| score(logits.slice(s![split * n / splits..(split + 1) * n / splits, ..])))
        .collect();
    let mean = scores.iter().sum::<f64>() / splits as f64;
    let variance = scores.iter().map(|score| (score - mean) * (score - mean)).sum::<f64>() / splits as f64;
    Ok(InceptionScore { mean, std: variance.sqrt() })
}

/// `exp(H(mean p) − mean H(p))`, which is the same.
fn score<T: Copy + Into<f64>>(logits: ArrayView2<'_, T>) -> f64 {
    let mut marginal = vec![0.0; logits.ncols()];
    let mut negative_entropy = 0.0;
    for row in logits.rows() {
        let largest = row.iter().map(|&x| x.into()).fold(f64::NEG_INFINITY, f64::max);
        let log_sum = largest + row.iter().map(|&x| (x.into() - largest).exp()).sum::<f64>().ln();
        for (sum, &x) in marginal.iter_mut().zip(row) {
            let log_p = x.into() - log_sum;
            let p = log_p.exp();
            *sum += p;
            negative_entropy += p * log_p;
        }
    }
    let n = logits.nrows() as f64;
    let entropy: f64 = marginal.iter().map(|sum| sum / n).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum();
    (negative_entropy / n + entropy).exp()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn certain_and_balanced_is_the_number_of_classes() {
        let logits = Array2::from_shape_fn((40, 8), |(i, j)| if i % 8 == j { 1e4 } else { 0.0 });
        let found = inception_score(logits.view(), 5).unwrap();
        assert!((found.mean - 8.0).abs() < 1e-12 && found.std < 1e-12, "{found:?}");
    }

    #[test]
    fn knowing_nothing_is_one() {
        let found = inception_score(Array2::<f32>::zeros((10, 1008)).view(), 1).unwrap();
        assert!((found.mean - 1.0).abs() < 1e-10, "{found:?}");
    }

    #[test]
    fn refuses() {
        let logits = Array2::<f32>::zeros((3, 2));
        assert_eq!(inception_score(logits.view(), 0).unwrap_err(), MetricError::Zero("splits"));
        let error = inception_score(logits.view(), 4).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "the logits", needed: 4, got: 3 });
    }
}
