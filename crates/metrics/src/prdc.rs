//! Precision, recall, density and coverage.

use ndarray::ArrayView2;

use crate::{
    MetricError,
    samples::check_pair,
    tiles::{mean_row, over_pairs},
};

/// The result of [`prdc`]: fidelity (`precision`, `density`) and diversity (`recall`, `coverage`) apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prdc {
    /// Share of the samples that lie in a ball around a real one; in [0, 1].
    pub precision: f64,
    /// Share of the real ones that lie in a ball around a sample; in [0, 1].
    pub recall: f64,
    /// Mean number of real balls that hold a sample, over k; can exceed 1.
    pub density: f64,
    /// Share of the real balls that hold a sample; in [0, 1].
    pub coverage: f64,
}

/// Precision, recall, density and coverage with balls that reach to the `k`-th neighbour in the same set, the point itself
/// not counted and the surface not included.
///
/// Precision and recall: T. Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models",
/// NeurIPS 2019; density and coverage: M. F. Naeem et al., "Reliable fidelity and diversity metrics for generative models",
/// ICML 2020. Takes O((n + m)² · dimension) time; memory beyond the sets is some hundred rows a thread.
///
/// # Shapes
/// `real`: `[n, dimension]`, `samples`: `[m, dimension]`; sizes may differ.
///
/// # Errors
/// A set of fewer than `k + 1`, `k = 0`, unequal dimensions, values that are not finite.
pub fn prdc<T: Copy + Into<f64> + Sync>(
    real: ArrayView2<'_, T>,
    samples: ArrayView2<'_, T>,
    k: usize,
) -> Result<Prdc, MetricError> {
    if k == 0 {
        return Err(MetricError::Zero("neighbours"));
    }
    check_pair(real, samples, k + 1)?;
    let centre = mean_row(real);
    let real_radii = radii(real, k, &centre);
    let sample_radii = radii(samples, k, &centre);

    // One row of tiles holds some samples and meets every real one.
    let parts = over_pairs(
        samples,
        real,
        &centre,
        |rows| Part {
            inside: vec![0; rows.len()],
            nearest: vec![f64::INFINITY; real.nrows()],
            reached: vec![false; real.nrows()],
        },
        |part, tile| {
            for (j, real) in tile.columns.clone().enumerate() {
                for (i, sample) in tile.rows.clone().enumerate() {
                    let squared = tile.squared_distance(i, j);
                    part.inside[i] += usize::from(squared < real_radii[real]);
                    part.nearest[real] = part.nearest[real].min(squared);
                    part.reached[real] |= squared < sample_radii[sample];
                }
            }
        },
    );

    let share = |count: usize, of: usize| count as f64 / of as f64;
    let (n, m) = (real.nrows(), samples.nrows());
    let inside = || parts.iter().flat_map(|part| part.inside.iter().copied());
    let recalled = (0..n).filter(|&real| parts.iter().any(|part| part.reached[real])).count();
    let covered =
        (0..n).filter(|&real| parts.iter().any(|part| part.nearest[real] < real_radii[real])).count();
    Ok(Prdc {
        precision: share(inside().filter(|&balls| balls > 0).count(), m),
        recall: share(recalled, n),
        density: share(inside().sum(), k * m),
        coverage: share(covered, n),
    })
}

/// What some samples say: the real balls that hold each, and for every real one its nearest of them and whether one of
/// their balls holds it.
struct Part {
    inside: Vec<usize>,
    nearest: Vec<f64>,
    reached: Vec<bool>,
}

/// Squared distance of every row to its `k`-th neighbour.
fn radii<T: Copy + Into<f64> + Sync>(set: ArrayView2<'_, T>, k: usize, centre: &[f64]) -> Vec<f64> {
    let parts = over_pairs(
        set,
        set,
        centre,
        // The k least so far, rising.
        |rows| vec![vec![f64::INFINITY; k]; rows.len()],
        |least, tile| {
            for (i, row) in tile.rows.clone().enumerate() {
                let least = &mut least[i];
                for (j, column) in tile.columns.clone().enumerate() {
                    let squared = tile.squared_distance(i, j);
                    if row != column && squared < least[k - 1] {
                        let place = least.partition_point(|&other| other <= squared);
                        least[place..].rotate_right(1);
                        least[place] = squared;
                    }
                }
            }
        },
    );
    parts.into_iter().flatten().map(|least| least[k - 1]).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, array, concatenate};

    use super::*;

    #[test]
    fn a_line_by_hand() {
        // Balls of k = 1: real radii 1, 1, 2; sample radii 0.5, 0.5, 10.
        let real = array![[0.0], [1.0], [3.0]];
        let samples = array![[0.25], [0.75], [10.75]];
        let found = prdc(real.view(), samples.view(), 1).unwrap();
        // 0.25 lies in the balls around 0 and 1, 0.75 too; 10.75 in none.
        assert_eq!((found.precision, found.density), (2.0 / 3.0, 4.0 / 3.0));
        // 0 and 1 lie in balls around 0.25 and 0.75; 3 lies in the large one around 10.75.
        assert_eq!(found.recall, 1.0);
        // 3's nearest sample is 0.75, at 2.25 > 2.
        assert_eq!(found.coverage, 2.0 / 3.0);
    }

    #[test]
    fn a_set_against_itself() {
        let set = Array2::from_shape_fn((700, 40), |(i, j)| {
            ((i * 37 + j * j * 11 + i * i * j) % 997) as f32 / 50.0
        });
        let found = prdc(set.view(), set.view(), 5).unwrap();
        // Every point is in its own ball and in those of about k others: exactly k in the mean, as surfaces do not count.
        assert_eq!(found, Prdc { precision: 1.0, recall: 1.0, density: 1.0, coverage: 1.0 });
    }

    #[test]
    fn constant_features_have_no_balls() {
        let set = Array2::<f32>::from_elem((300, 8), 0.3);
        let found = prdc(set.view(), set.view(), 3).unwrap();
        assert_eq!(found, Prdc { precision: 0.0, recall: 0.0, density: 0.0, coverage: 0.0 });
    }

    #[test]
    fn far_sets_and_the_number_of_threads() {
        let near = Array2::from_shape_fn((600, 5), |(i, j)| ((i * 37 + j * 11 + i * i) % 997) as f32);
        let far = &near + 1e6;
        let none = prdc(near.view(), far.view(), 5).unwrap();
        assert_eq!(none, Prdc { precision: 0.0, recall: 0.0, density: 0.0, coverage: 0.0 });
        let both = concatenate![Axis(0), near, far];
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| prdc(near.view(), both.view(), 5).unwrap())
        };
        assert_eq!(of(1), of(3));
        assert_eq!(of(1).recall, 1.0);
    }

    #[test]
    fn refuses() {
        let set = Array2::<f32>::zeros((5, 2));
        assert_eq!(prdc(set.view(), set.view(), 0).unwrap_err(), MetricError::Zero("neighbours"));
        let error = prdc(set.view(), set.view(), 5).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "the first set", needed: 6, got: 5 });
    }
}
