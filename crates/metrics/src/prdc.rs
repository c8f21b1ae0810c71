//! Precision, recall, density and coverage.

use ndarray::ArrayView2;

use crate::{
    MetricError,
    samples::{REAL, Rows, check, check_pair},
    tiles::{direct, mean_row, over_pairs},
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
    PrdcReference::new(real.into(), k)?.score(samples)
}

/// The real side of [`prdc`] with its balls.
#[derive(Clone, Debug)]
pub(crate) struct PrdcReference<'a, T> {
    real: Rows<'a, T>,
    k: usize,
    centre: Vec<f64>,
    /// Squared.
    radii: Vec<f64>,
}

impl<'a, T: Copy + Into<f64> + Sync> PrdcReference<'a, T> {
    pub(crate) fn new(real: Rows<'a, T>, k: usize) -> Result<Self, MetricError> {
        if k == 0 {
            return Err(MetricError::Zero("neighbours"));
        }
        check(real.view(), REAL, k + 1)?;
        let centre = mean_row(real.view());
        let radii = radii(real.view(), k, &centre);
        Ok(Self { real, k, centre, radii })
    }

    pub(crate) fn score(&self, samples: ArrayView2<'_, T>) -> Result<Prdc, MetricError> {
        let (real, k, real_radii) = (self.real.view(), self.k, &self.radii);
        check_pair(samples, real, k + 1)?;
        let sample_radii = radii(samples, k, &self.centre);
        // One row of tiles holds some samples and meets every real one.
        let parts = over_pairs(
            samples,
            real,
            &self.centre,
            |rows| Part {
                inside: vec![0; rows.len()],
                covered: vec![false; real.nrows()],
                reached: vec![false; real.nrows()],
            },
            |part, tile| {
                let rounding = tile.rounding();
                for (j, of_real) in tile.columns.clone().enumerate() {
                    for (i, sample) in tile.rows.clone().enumerate() {
                        let (real_radius, sample_radius) = (real_radii[of_real], sample_radii[sample]);
                        let mut squared = tile.squared_distance(i, j);
                        // On a surface rounding would decide.
                        if (squared - real_radius).abs() <= rounding
                            || (squared - sample_radius).abs() <= rounding
                        {
                            squared = direct(samples.row(sample), real.row(of_real));
                        }
                        part.inside[i] += usize::from(squared < real_radius);
                        part.covered[of_real] |= squared < real_radius;
                        part.reached[of_real] |= squared < sample_radius;
                    }
                }
            },
        );
        let share = |count: usize, of: usize| count as f64 / of as f64;
        let (n, m) = (real.nrows(), samples.nrows());
        let inside = || parts.iter().flat_map(|part| part.inside.iter().copied());
        let recalled = (0..n).filter(|&real| parts.iter().any(|part| part.reached[real])).count();
        let covered = (0..n).filter(|&real| parts.iter().any(|part| part.covered[real])).count();
        Ok(Prdc {
            precision: share(inside().filter(|&balls| balls > 0).count(), m),
            recall: share(recalled, n),
            density: share(inside().sum(), k * m),
            coverage: share(covered, n),
        })
    }
}

/// What some samples say: the real balls that hold each, and for every real one whether its ball holds one of them and
/// whether one of their balls holds it.
struct Part {
    inside: Vec<usize>,
    covered: Vec<bool>,
    reached: Vec<bool>,
}

/// Squared distance of every row to its `k`-th neighbour, of the few that may be it without the rounding of products.
fn radii<T: Copy + Into<f64> + Sync>(set: ArrayView2<'_, T>, k: usize, centre: &[f64]) -> Vec<f64> {
    let parts = over_pairs(
        set,
        set,
        centre,
        // The k least so far, rising.
        |rows| vec![vec![f64::INFINITY; k]; rows.len()],
        |least, tile| {
            let rounding = tile.rounding();
            for (i, row) in tile.rows.clone().enumerate() {
                let least = &mut least[i];
                for (j, column) in tile.columns.clone().enumerate() {
                    let fast = tile.squared_distance(i, j);
                    if row == column || fast - rounding >= least[k - 1] {
                        continue;
                    }
                    let squared = direct(set.row(row), set.row(column));
                    if squared < least[k - 1] {
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
    use chacha20::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };
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

    /// Every pair, term by term.
    fn naive(real: &Array2<f32>, samples: &Array2<f32>, k: usize) -> Prdc {
        let distance = |a: &Array2<f32>, i: usize, b: &Array2<f32>, j: usize| direct(a.row(i), b.row(j));
        let radius = |set: &Array2<f32>, i: usize| {
            let mut all: Vec<f64> =
                (0..set.nrows()).filter(|&j| j != i).map(|j| distance(set, i, set, j)).collect();
            all.sort_unstable_by(f64::total_cmp);
            all[k - 1]
        };
        let (n, m) = (real.nrows(), samples.nrows());
        let real_radii: Vec<f64> = (0..n).map(|i| radius(real, i)).collect();
        let sample_radii: Vec<f64> = (0..m).map(|j| radius(samples, j)).collect();
        let held = |i: usize, j: usize| distance(real, i, samples, j) < real_radii[i];
        let balls: Vec<usize> = (0..m).map(|j| (0..n).filter(|&i| held(i, j)).count()).collect();
        let recalled =
            (0..n).filter(|&i| (0..m).any(|j| distance(real, i, samples, j) < sample_radii[j])).count();
        let covered = (0..n).filter(|&i| (0..m).any(|j| held(i, j))).count();
        Prdc {
            precision: balls.iter().filter(|&&balls| balls > 0).count() as f64 / m as f64,
            recall: recalled as f64 / n as f64,
            density: balls.iter().sum::<usize>() as f64 / (k * m) as f64,
            coverage: covered as f64 / n as f64,
        }
    }

    #[test]
    fn equal_distances_are_equal() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (values, dimension) in [(2, 30), (20, 2), (9, 10)] {
            let mut set =
                |n| Array2::from_shape_simple_fn((n, dimension), || (rng.next_u32() % values) as f32);
            let (real, samples) = (set(300), set(290));
            let found = prdc(real.view(), samples.view(), 5).unwrap();
            assert_eq!(found, naive(&real, &samples, 5), "{values} values in {dimension} dimensions");
            assert!(found.precision < 1.0 && found.coverage < 1.0, "{found:?}");
        }
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
        assert_eq!(error, MetricError::TooFewSamples { what: REAL, needed: 6, got: 5 });
    }
}
