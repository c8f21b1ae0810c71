//! The Fréchet distance of two Gaussians.

use faer::{Mat, MatRef};
use ndarray::ArrayView2;

use crate::{
    MetricError,
    linalg::{eigen, eigenvalues, product},
};

/// An eigenvalue further below zero than this part of the largest is no rounding, not even of statistics of two thousand
/// dimensions that were kept in single precision.
const ROUNDING: f64 = 1e-3;

/// The squared Fréchet (2-Wasserstein) distance of two Gaussians, with its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frechet {
    /// `mean_term + covariance_term`, or 0 where rounding leaves less: the number that is called FID when the features are
    /// Inception's.
    pub distance: f64,
    /// `|m1 − m2|²`.
    pub mean_term: f64,
    /// `tr(S1 + S2 − 2 (S1 S2)^½)`.
    pub covariance_term: f64,
    /// The most negative eigenvalue that was taken for zero, or 0: rounding of a singular covariance.
    pub most_negative: f64,
}

/// `|m1 − m2|² + tr(S1 + S2 − 2 (S1 S2)^½)`, the squared Fréchet distance of two Gaussians.
///
/// D. C. Dowson, B. V. Landau, "The Fréchet distance between multivariate normal distributions", J. Multivar. Anal. 12
/// (1982). The trace of the root is the sum of the roots of the eigenvalues of the symmetric `S1^½ S2 S1^½`, which exists
/// for singular covariances too; nothing is added to the diagonal. Eigenvalues a little below zero are rounding: they count as
/// zero and the worst is reported.
///
/// # Shapes
/// means `[d]`, covariances `[d, d]`, symmetric (the lower half is read).
///
/// # Errors
/// Shapes that do not fit, values that are not finite, an eigenvalue iteration that does not converge,
/// [`MetricError::NotPositive`] for what is no covariance.
pub fn frechet(
    mean1: &[f64],
    covariance1: ArrayView2<'_, f64>,
    mean2: &[f64],
    covariance2: ArrayView2<'_, f64>,
) -> Result<Frechet, MetricError> {
    let size = mean1.len();
    if mean2.len() != size {
        return Err(MetricError::UnequalDimensions { first: size, second: mean2.len() });
    }
    for (set, mean) in [("the first mean", mean1), ("the second mean", mean2)] {
        if let Some(row) = mean.iter().position(|value| !value.is_finite()) {
            return Err(MetricError::NotFinite { set, row, column: 0, value: mean[row].to_string() });
        }
    }
    let s1 = symmetric(covariance1, size, "the first covariance")?;
    let s2 = symmetric(covariance2, size, "the second covariance")?;

    let first = eigen(s1.as_ref())?;
    let lowest = first.values.iter().copied().fold(0.0, f64::min);
    let largest = first.values.iter().copied().fold(0.0, f64::max);
    if lowest < -ROUNDING * largest {
        return Err(MetricError::NotPositive { what: "the first covariance", lowest, largest });
    }
    let mut most_negative = lowest;
    // S1 = R Rᵀ with R = U diag(λ^½), without the directions in which S1 is zero up to rounding: they add nothing, and
    // their rounding would. Rᵀ S2 R has the spectrum of S1^½ S2 S1^½, zeros apart.
    let zero = largest * size as f64 * f64::EPSILON;
    let kept: Vec<usize> = (0..size).filter(|&k| first.values[k] > zero).collect();
    let root =
        Mat::from_fn(size, kept.len(), |i, k| first.vectors[(i, kept[k])] * first.values[kept[k]].sqrt());
    let middle = product(root.transpose(), product(s2.as_ref(), root.as_ref()).as_ref());
    // Rounding leaves the product a little asymmetric, and only its lower half would be read.
    let middle = Mat::from_fn(kept.len(), kept.len(), |i, j| 0.5 * (middle[(i, j)] + middle[(j, i)]));
    let spectrum = eigenvalues(middle.as_ref())?;
    let lowest = spectrum.iter().copied().fold(0.0, f64::min);
    // No eigenvalue of the product can be larger than this, whatever the two have in common.
    let bound = largest * trace(s2.as_ref());
    if lowest < -ROUNDING * bound {
        let what = "the product of the covariances";
        return Err(MetricError::NotPositive { what, lowest, largest: bound });
    }
    // The spectrum of the product is in squared units: its root is comparable with the first one.
    most_negative = most_negative.min(-(-lowest).sqrt());

    let mean_term = mean1.iter().zip(mean2).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    let cross: f64 = spectrum.iter().map(|value| value.max(0.0).sqrt()).sum();
    let covariance_term = trace(s1.as_ref()) + trace(s2.as_ref()) - 2.0 * cross;
    // Equal Gaussians come out a rounding below zero. (`max` would make zero of a NaN.)
    let sum = mean_term + covariance_term;
    let distance = if sum < 0.0 { 0.0 } else { sum };
    Ok(Frechet { distance, mean_term, covariance_term, most_negative })
}

fn symmetric(matrix: ArrayView2<'_, f64>, size: usize, what: &'static str) -> Result<Mat<f64>, MetricError> {
    let (rows, columns) = matrix.dim();
    if (rows, columns) != (size, size) {
        return Err(MetricError::NotSquare { what, rows, columns, expected: size });
    }
    if let Some(((row, column), value)) = matrix.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(MetricError::NotFinite { set: what, row, column, value: value.to_string() });
    }
    Ok(Mat::from_fn(size, size, |i, j| matrix[[i.max(j), i.min(j)]]))
}

fn trace(matrix: MatRef<'_, f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn commuting_covariances_have_a_closed_form() {
        // diagonal: Σ (√a − √b)²
        let a = Array2::from_diag(&array![4.0, 9.0, 0.25]);
        let b = Array2::from_diag(&array![1.0, 16.0, 0.0]);
        let found = frechet(&[1.0, 2.0, 3.0], a.view(), &[1.0, 0.0, 3.0], b.view()).unwrap();
        assert!((found.mean_term - 4.0).abs() < 1e-14);
        assert!((found.covariance_term - (1.0 + 1.0 + 0.25)).abs() < 1e-12, "{found:?}");
        assert!((found.distance - 6.25).abs() < 1e-12);
    }

    #[test]
    fn two_by_two_has_a_closed_form() {
        // tr (S1 S2)^½ = sqrt(tr(S1 S2) + 2 sqrt(det S1 det S2)) for 2 × 2.
        let a: Array2<f64> = array![[2.0, 0.6], [0.6, 1.0]];
        let b: Array2<f64> = array![[1.0, -0.3], [-0.3, 3.0]];
        let product = a.dot(&b);
        let det = |m: &Array2<f64>| m[[0, 0]] * m[[1, 1]] - m[[0, 1]] * m[[1, 0]];
        let cross = (product[[0, 0]] + product[[1, 1]] + 2.0 * (det(&a) * det(&b)).sqrt()).sqrt();
        let expected = 3.0 + 4.0 - 2.0 * cross;
        let found = frechet(&[0.0; 2], a.view(), &[0.0; 2], b.view()).unwrap();
        assert!((found.distance - expected).abs() < 1e-12, "{} {expected}", found.distance);
        let back = frechet(&[0.0; 2], b.view(), &[0.0; 2], a.view()).unwrap();
        assert!((found.distance - back.distance).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_covariance_is_refused() {
        let a = array![[1.0, 0.0], [0.0, 2.0]];
        let b = array![[1.0, 1.5], [1.5, 1.0]];
        let (c, eye) = (Array2::from_diag(&array![1.0, -0.5]), Array2::eye(2));
        for (first, second) in [(&a, &b), (&b, &a), (&c, &eye), (&eye, &c)] {
            let error = frechet(&[0.0; 2], first.view(), &[0.0; 2], second.view()).unwrap_err();
            assert!(matches!(error, MetricError::NotPositive { lowest, .. } if lowest < -0.4), "{error}");
        }
    }

    #[test]
    fn singular_covariances_and_equal_ones() {
        let a = array![[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
        let found = frechet(&[0.0; 3], a.view(), &[0.0; 3], a.view()).unwrap();
        assert!((0.0..1e-7).contains(&found.distance), "{found:?}");
        assert!((-1e-7..=0.0).contains(&found.most_negative));
        // Orthogonal ranges: (S1 S2)^½ = 0.
        let b = Array2::from_diag(&array![0.0, 0.0, 5.0]);
        let found = frechet(&[0.0; 3], a.view(), &[0.0; 3], b.view()).unwrap();
        assert!((found.distance - 7.0).abs() < 1e-7, "{found:?}");
    }

    #[test]
    fn rounding_counts_as_zero_and_is_told() {
        let a = Array2::from_diag(&array![1.0, -1e-5]);
        let found = frechet(&[0.0; 2], a.view(), &[0.0; 2], Array2::eye(2).view()).unwrap();
        assert!((found.most_negative + 1e-5).abs() < 1e-12, "{found:?}");
        assert!((found.covariance_term - (1.0 - 1e-5)).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn refuses() {
        let eye = Array2::<f64>::eye(2);
        let error = frechet(&[0.0; 2], Array2::eye(3).view(), &[0.0; 2], eye.view()).unwrap_err();
        let expected =
            MetricError::NotSquare { what: "the first covariance", rows: 3, columns: 3, expected: 2 };
        assert_eq!(error, expected);
        let error = frechet(&[0.0, f64::NAN], eye.view(), &[0.0; 2], eye.view()).unwrap_err();
        assert!(matches!(error, MetricError::NotFinite { set: "the first mean", row: 1, .. }));
    }
}
