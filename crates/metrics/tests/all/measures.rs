//! Scores by name, their intervals, and input at the edge.

use chacha20::{ChaCha8Rng, rand_core::SeedableRng};
use meanflow_metrics::{Metric, MetricError, Moments, Real, Settings, Statistics};
use ndarray::{Array2, Axis, array, concatenate};
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

pub(crate) fn metric(name: &str) -> Metric {
    Metric::named(name).unwrap()
}

pub(crate) fn rows(rows: &Array2<f32>) -> Real {
    Real::Rows(rows.to_shared())
}

const ALL: [&str; 8] = ["w2", "sliced_w2", "energy", "mmd", "fd_pca64", "fd", "kid", "prdc"];

pub(crate) fn gaussian(n: usize, dimension: usize, shift: f32, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((n, dimension), |_| {
        let draw: f32 = StandardNormal.sample(&mut rng);
        draw + shift
    })
}

fn value(measure: &str, samples: &Array2<f32>, real: &Array2<f32>) -> Result<f64, MetricError> {
    let settings = Settings { repeats: 0, ..Settings::default() };
    Ok(metric(measure).evaluate(samples.view(), &rows(real), &settings)?[0].value)
}

fn statistics(rows: &Array2<f32>) -> Statistics {
    Moments::statistics(rows.view()).unwrap()
}

#[test]
fn moved_samples_score_worse() {
    let real = gaussian(300, 6, 0.0, 0);
    let (near, far) = (gaussian(300, 6, 0.0, 1), gaussian(300, 6, 0.7, 2));
    for measure in ALL {
        let (near, far) = (value(measure, &near, &real).unwrap(), value(measure, &far, &real).unwrap());
        if measure == "prdc" {
            assert!(near > far + 0.05, "{measure:?} {near} {far}");
        } else {
            assert!(near < 0.75 * far, "{measure:?} {near} {far}");
        }
    }
}

#[test]
fn intervals_cover_other_draws() {
    let real = gaussian(2000, 4, 0.0, 100);
    for measure in ["energy", "fd", "sliced_w2", "kid"] {
        let settings = Settings { kid_subsets: 20, ..Settings::default() };
        let of = |seed| {
            let samples = gaussian(400, 4, 0.5, seed);
            metric(measure).evaluate(samples.view(), &rows(&real), &settings).unwrap().remove(0)
        };
        let values: Vec<_> = (0..12).map(of).collect();
        let mean = values.iter().map(|value| value.value).sum::<f64>() / 12.0;
        let covered = values.iter().filter(|value| {
            let [low, high] = value.interval.unwrap();
            low < mean && mean < high
        });
        assert!(covered.count() >= 9, "{measure:?} {mean} {values:?}");
    }
}

#[test]
fn statistics_are_enough_for_a_frechet_distance_only() {
    let (real, samples) = (gaussian(200, 6, 0.0, 0), gaussian(100, 6, 0.5, 1));
    let statistics = Real::Statistics(Arc::new(statistics(&real)));
    for measure in ALL {
        let found = metric(measure).evaluate(samples.view(), &statistics, &Settings::default());
        match (measure, found) {
            ("fd", found) => {
                assert_eq!(found.unwrap()[0].value, value(measure, &samples, &real).unwrap())
            }
            (_, found) => assert_eq!(found.unwrap_err(), MetricError::NeedsRows),
        }
    }
}

#[test]
fn fewer_samples_than_dimensions() {
    // On a subspace the distance is that of the subspace: zeros appended change nothing.
    let (real, samples) = (gaussian(40, 20, 0.0, 0), gaussian(12, 20, 0.5, 1));
    let wide =
        |rows: &Array2<f32>| concatenate![Axis(1), rows.view(), Array2::zeros((rows.nrows(), 180)).view()];
    let narrow = value("fd", &samples, &real).unwrap();
    let found = value("fd", &wide(&samples), &wide(&real)).unwrap();
    assert!((found - narrow).abs() < 1e-6 * narrow, "{found} {narrow}");
    let back = value("fd", &wide(&real), &wide(&samples)).unwrap();
    assert!((back - narrow).abs() < 1e-5 * narrow, "{back} {narrow}");
    // 11 components of 12 real samples.
    let settings = Settings::default();
    let found = metric("fd_pca64").evaluate(real.view(), &rows(&samples), &settings).unwrap();
    assert_eq!(found[0].with[0], ("components", 11.0));
}

#[test]
fn a_singular_pair_has_a_closed_form() {
    // n < d in both: tr (S1 S2)^½ is the sum of the singular values of X1 X2ᵀ, which for rows along axes is seen by eye.
    let real = array![[2.0f32, 0.0, 0.0, 0.0], [-2.0, 0.0, 0.0, 0.0]];
    let same = array![[1.0f32, 0.0, 0.0, 3.0], [-1.0, 0.0, 0.0, 3.0]];
    // Variances 8 and 2 on one axis, means 3 apart: 9 + (√8 − √2)².
    let found = value("fd", &same, &real).unwrap();
    assert!((found - 11.0).abs() < 1e-12, "{found}");
}

#[test]
fn constant_features() {
    let constant = Array2::<f32>::from_elem((60, 5), 0.25);
    let other = Array2::<f32>::from_elem((60, 5), 0.75);
    for measure in ["w2", "sliced_w2", "energy", "fd", "fd_pca64"] {
        assert_eq!(value(measure, &constant, &constant).unwrap(), 0.0, "{measure:?}");
    }
    assert_eq!(value("fd", &other, &constant).unwrap(), 5.0 * 0.25);
    assert!(value("kid", &constant, &constant).unwrap().abs() < 1e-12);
    // A kernel needs a width, and all distances are zero.
    let error = value("mmd", &constant, &constant).unwrap_err();
    assert_eq!(error.to_string(), "the bandwidth must be a positive number, got 0");
    assert_eq!(value("prdc", &constant, &constant).unwrap(), 0.0);
}

#[test]
fn one_sample() {
    let (real, one) = (gaussian(30, 5, 0.0, 0), gaussian(1, 5, 0.0, 1));
    for measure in ALL {
        let (found, back) = (value(measure, &one, &real), value(measure, &real, &one));
        match measure {
            // A distance of points needs no spread; the larger set is cut to one point.
            "w2" | "sliced_w2" | "energy" => {
                assert!(found.unwrap() > 0.0 && back.unwrap() > 0.0)
            }
            _ => {
                assert!(
                    matches!(found, Err(MetricError::TooFewSamples { got: 1, .. })),
                    "{measure:?} {found:?}"
                );
                assert!(
                    matches!(back, Err(MetricError::TooFewSamples { got: 1, .. })),
                    "{measure:?} {back:?}"
                );
            }
        }
    }
}

#[test]
fn nan_and_other_dimensions_are_refused() {
    let (real, samples) = (gaussian(30, 5, 0.0, 0), gaussian(30, 5, 0.0, 1));
    let mut broken = samples.clone();
    broken[[17, 3]] = f32::NAN;
    for measure in ALL {
        for (samples, real) in [(&broken, &real), (&real, &broken)] {
            let error = value(measure, samples, real).unwrap_err();
            assert!(
                matches!(error, MetricError::NotFinite { row: 17, column: 3, .. }),
                "{measure:?} {error}"
            );
        }
        let error = value(measure, &gaussian(30, 4, 0.0, 2), &real).unwrap_err();
        assert!(matches!(error, MetricError::UnequalDimensions { .. }), "{measure:?} {error}");
    }
}

#[test]
fn the_inception_score_takes_logits() {
    let logits = Array2::from_shape_fn((120, 4), |(i, j)| if i % 4 == j { 1e3 } else { 0.0 });
    let found = metric("is").evaluate(logits.view(), &Real::None, &Settings::default()).unwrap();
    assert!((found[0].value - 4.0).abs() < 1e-9, "{found:?}");
    assert_eq!(found[0].with[0], ("splits", 10.0));
    for measure in ["fd", "w2"] {
        let error = metric(measure).evaluate(logits.view(), &Real::None, &Settings::default()).unwrap_err();
        assert_eq!(error, MetricError::NeedsReal);
    }
}
