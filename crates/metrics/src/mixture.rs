//! A mixture of Gaussians whose density is known: log-likelihood and mode coverage of samples.

use ndarray::{Array2, ArrayView2};

use crate::{
    MetricError,
    samples::{checked, rows, squared_distance},
};

/// Gaussians `N(c_k, std²·I)`, each as likely.
#[derive(Clone, Debug)]
pub struct Mixture {
    centres: Array2<f64>,
    std: f64,
}

/// The result of [`Mixture::modes`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModeCoverage {
    /// Share of the modes that at least one sample lies near to.
    pub covered: f64,
    /// Share of the samples that lie near a mode.
    pub near: f64,
    /// `KL(q ‖ uniform)` of the shares q of the near samples that each mode has, in nats; 0 when all modes have as many,
    /// `ln modes` when one has all. Zero if no sample is near a mode.
    pub imbalance: f64,
}

impl Mixture {
    /// The mixture with these centres.
    ///
    /// # Shapes
    /// `centres`: `[modes, dimension]`.
    ///
    /// # Errors
    /// No centres, centres that are not finite, a `std` that is not a positive number.
    pub fn new(centres: ArrayView2<'_, f64>, std: f64) -> Result<Self, MetricError> {
        if !(std > 0.0 && std.is_finite()) {
            return Err(MetricError::Positive { what: "the standard deviation", value: std.to_string() });
        }
        Ok(Self { centres: checked(centres, "the centres", 1)?, std })
    }

    /// Negative log-likelihood of each sample, in nats: `−ln Σ_k N(x; c_k, std²·I)/modes`.
    ///
    /// Its mean is the entropy of the mixture when the samples have its law; it alone rewards samples that sit on the modes, so
    /// read it with [`Mixture::modes`].
    ///
    /// # Errors
    /// No samples, another dimension than the centres', values that are not finite.
    pub fn negative_log_likelihoods<T: Copy + Into<f64>>(
        &self,
        samples: ArrayView2<'_, T>,
    ) -> Result<Vec<f64>, MetricError> {
        let samples = self.checked(samples)?;
        let centres = rows(&self.centres);
        let dimension = self.centres.ncols() as f64;
        let variance = self.std * self.std;
        let constant =
            (centres.len() as f64).ln() + 0.5 * dimension * (std::f64::consts::TAU * variance).ln();
        let each = rows(&samples).into_iter();
        Ok(each
            .map(|x| {
                let exponents: Vec<f64> =
                    centres.iter().map(|c| -0.5 * squared_distance(x, c) / variance).collect();
                let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                constant - largest - exponents.iter().map(|e| (e - largest).exp()).sum::<f64>().ln()
            })
            .collect())
    }

    /// Which modes the samples reach. A sample is near its nearest mode when it lies within `3·std` of it, the usual rule.
    ///
    /// # Errors
    /// No samples, another dimension than the centres', values that are not finite.
    pub fn modes<T: Copy + Into<f64>>(
        &self,
        samples: ArrayView2<'_, T>,
    ) -> Result<ModeCoverage, MetricError> {
        let samples = self.checked(samples)?;
        let centres = rows(&self.centres);
        let mut counts = vec![0usize; centres.len()];
        for x in rows(&samples) {
            let squared: Vec<f64> = centres.iter().map(|c| squared_distance(x, c)).collect();
            let nearest =
                (0..squared.len()).min_by(|&i, &j| squared[i].total_cmp(&squared[j])).expect("a centre");
            counts[nearest] += usize::from(squared[nearest] <= 9.0 * self.std * self.std);
        }
        let near: usize = counts.iter().sum();
        let modes = counts.len() as f64;
        let shares = counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / near as f64);
        Ok(ModeCoverage {
            covered: counts.iter().filter(|&&count| count > 0).count() as f64 / modes,
            near: near as f64 / samples.nrows() as f64,
            imbalance: shares.map(|share| share * (share * modes).ln()).sum(),
        })
    }

    fn checked<T: Copy + Into<f64>>(&self, samples: ArrayView2<'_, T>) -> Result<Array2<f64>, MetricError> {
        if samples.ncols() != self.centres.ncols() {
            let (first, second) = (self.centres.ncols(), samples.ncols());
            return Err(MetricError::UnequalDimensions { first, second });
        }
        checked(samples, "the samples", 1)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn one_gaussian_is_the_textbook_formula() {
        let mixture = Mixture::new(array![[1.0, -1.0]].view(), 0.5).unwrap();
        let found = mixture.negative_log_likelihoods(array![[1.0, 0.0], [1.0, -1.0]].view()).unwrap();
        // ln(2π·0.25) + 1/(2·0.25), and without the second.
        let expected = (std::f64::consts::TAU * 0.25).ln();
        assert!(
            (found[0] - expected - 2.0).abs() < 1e-14 && (found[1] - expected).abs() < 1e-14,
            "{found:?}"
        );
    }

    #[test]
    fn the_density_integrates_to_one() {
        let mixture = Mixture::new(array![[-1.0], [0.5], [2.0]].view(), 0.3).unwrap();
        let step = 1e-3;
        let sum: f64 = (-4000..6000)
            .map(|k| {
                (-mixture.negative_log_likelihoods(array![[f64::from(k) * step]].view()).unwrap()[0]).exp()
            })
            .sum();
        assert!((sum * step - 1.0).abs() < 1e-9, "{}", sum * step);
    }

    #[test]
    fn modes_are_counted() {
        let mixture =
            Mixture::new(array![[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]].view(), 1.0).unwrap();
        let samples = array![[0.5, 0.0], [2.9, 0.0], [10.0, 1.0], [5.0, 5.0]];
        let found = mixture.modes(samples.view()).unwrap();
        assert_eq!((found.covered, found.near), (0.5, 0.75));
        let expected = 2.0 / 3.0 * (8.0f64 / 3.0).ln() + 1.0 / 3.0 * (4.0f64 / 3.0).ln();
        assert!((found.imbalance - expected).abs() < 1e-14);
        let none = mixture.modes(array![[5.0, 5.0]].view()).unwrap();
        assert_eq!(none, ModeCoverage { covered: 0.0, near: 0.0, imbalance: 0.0 });
    }

    #[test]
    fn refuses() {
        let error = Mixture::new(array![[0.0]].view(), 0.0).unwrap_err();
        assert_eq!(error.to_string(), "the standard deviation must be a positive number, got 0");
        let mixture = Mixture::new(array![[0.0, 1.0]].view(), 1.0).unwrap();
        let error = mixture.modes(array![[0.0]].view()).unwrap_err();
        assert_eq!(error, MetricError::UnequalDimensions { first: 2, second: 1 });
    }
}
