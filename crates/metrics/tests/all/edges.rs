//! Scores of sets that share samples, of few samples, and what their errors and intervals say.

use meanflow_metrics::{Input, MetricError, Settings, Value};
use ndarray::{Array2, Axis};

use crate::measures::{gaussian, metric, rows};

fn evaluate(
    measure: &str,
    samples: &Array2<f32>,
    real: &Array2<f32>,
    settings: Settings,
) -> Result<Vec<Value>, MetricError> {
    metric(measure).evaluate(samples.view(), &rows(real), &settings)
}

const NO_INTERVALS: Settings =
    Settings { seed: 0, repeats: 0, neighbours: 5, kid_subsets: 100, kid_size: 1000, splits: 10 };

#[test]
fn a_choice_of_the_real_data_is_not_compared_with_itself() {
    let real = gaussian(200, 3, 0.0, 0);
    for seed in [0, 7] {
        let chosen = Input::choice(200, 60, seed);
        let samples = real.select(Axis(0), &chosen);
        for measure in ["w2", "sliced_w2"] {
            let settings = Settings { seed, ..NO_INTERVALS };
            let found = evaluate(measure, &samples, &real, settings).unwrap()[0].value;
            assert!(found > 0.1, "{measure:?} {found}");
        }
    }
}

#[test]
fn more_samples_than_real_data() {
    let (real, samples) = (gaussian(60, 3, 0.0, 0), gaussian(80, 3, 0.0, 1));
    for measure in ["w2", "sliced_w2"] {
        let found = evaluate(measure, &samples, &real, Settings::default()).unwrap().remove(0);
        assert_eq!(found.with[0], ("n", 60.0));
        let [low, high] = found.interval.unwrap();
        assert!(low < found.value && found.value < high, "{found:?}");
        let fewer = evaluate(measure, &real, &samples, Settings::default()).unwrap().remove(0);
        assert_eq!(fewer.with[0], ("n", 60.0));
    }
}

#[test]
fn intervals_of_what_is_not_negative_do_not_go_below_zero() {
    let real = gaussian(40, 2, 0.0, 0);
    for measure in ["fd", "fd_pca64", "energy", "prdc", "w2"] {
        for value in evaluate(measure, &real, &real, Settings::default()).unwrap() {
            let [low, high] = value.interval.unwrap();
            assert!(value.value >= 0.0 && low >= 0.0 && low <= high, "{measure:?} {value:?}");
            if ["precision", "recall", "coverage"].contains(&value.part) {
                assert!(high <= 1.0, "{value:?}");
            }
        }
    }
    for measure in ["mmd", "kid_full"] {
        let found = evaluate(measure, &real, &real, Settings::default()).unwrap().remove(0);
        assert!(found.interval.unwrap()[0] < 0.0, "{measure:?} {found:?}");
    }
}

#[test]
fn a_half_that_is_too_small_leaves_the_interval_out() {
    let (real, samples) = (gaussian(50, 2, 0.0, 0), gaussian(9, 2, 0.0, 1));
    let found = evaluate("prdc", &samples, &real, Settings::default()).unwrap();
    assert!(found.iter().all(|value| value.interval.is_none() && value.value >= 0.0), "{found:?}");
    let twelve = evaluate("prdc", &gaussian(12, 2, 0.0, 1), &real, Settings::default()).unwrap();
    assert!(twelve.iter().all(|value| value.interval.is_some()));
}

#[test]
fn a_subset_of_kid_has_two_samples() {
    let (real, samples) = (gaussian(50, 2, 0.0, 0), gaussian(40, 2, 0.0, 1));
    for kid_size in [0, 1] {
        let error = evaluate("kid", &samples, &real, Settings { kid_size, ..NO_INTERVALS }).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: "a subset of KID", needed: 2, got: kid_size });
    }
    let found = evaluate("kid", &samples, &real, NO_INTERVALS).unwrap();
    assert_eq!(found[0].with[1], ("size", 20.0));
}

/// The mean standard error that intervals claim, over the standard deviation of the values of other draws.
fn claimed(measure: &str, settings: Settings) -> f64 {
    let real = gaussian(250, 4, 0.0, 1000);
    let found: Vec<Value> = (0..60)
        .map(|seed| evaluate(measure, &gaussian(200, 4, 0.5, seed), &real, settings).unwrap().remove(0))
        .collect();
    let mean = found.iter().map(|found| found.value).sum::<f64>() / 60.0;
    let variance = found.iter().map(|found| (found.value - mean).powi(2)).sum::<f64>() / 59.0;
    let error: f64 =
        found.iter().map(|found| found.interval.map_or(0.0, |[low, high]| (high - low) / 4.0)).sum();
    error / 60.0 / variance.sqrt()
}

#[test]
fn intervals_are_as_wide_as_the_draw_of_samples_makes_them() {
    let settings = Settings { kid_subsets: 30, kid_size: 100, ..Settings::default() };
    // A standard deviation from 60 values is within a fifth of the true one in 97 of 100 cases.
    for measure in ["kid", "kid_full", "mmd", "energy"] {
        let ratio = claimed(measure, settings);
        assert!((0.75..1.3).contains(&ratio), "{measure:?} {ratio}");
    }
    // Three subsets of ten are most of the error then.
    let ratio = claimed("kid", Settings { kid_subsets: 3, kid_size: 10, ..settings });
    assert!((0.75..1.5).contains(&ratio), "{ratio}");
}

#[test]
fn errors_say_which_side() {
    let (real, one) = (gaussian(30, 5, 0.0, 0), gaussian(1, 5, 0.0, 1));
    let mut broken = real.clone();
    broken[[17, 3]] = f32::NAN;
    for measure in ["mmd", "kid", "kid_full", "fd", "prdc", "fd_pca64"] {
        let text = |samples, real| evaluate(measure, samples, real, NO_INTERVALS).unwrap_err().to_string();
        let short = text(&one, &real);
        assert!(
            short.starts_with("the samples: at least ") && short.ends_with("got 1"),
            "{measure:?} {short}"
        );
        let short = text(&real, &one);
        assert!(short.starts_with("the real data: at least "), "{measure:?} {short}");
        assert_eq!(text(&broken, &real), "the samples: NaN at row 17, column 3", "{measure:?}");
        assert_eq!(text(&real, &broken), "the real data: NaN at row 17, column 3", "{measure:?}");
    }
    let none = Array2::zeros((0, 5));
    let text = evaluate("w2", &none, &real, NO_INTERVALS).unwrap_err().to_string();
    assert_eq!(text, "the samples: at least 1 sample, got 0");
}
