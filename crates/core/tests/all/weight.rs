//! The adaptive weight against its formula, value and gradient.

use meanflow_core::weight::Weight;
use proptest::prelude::*;

use crate::common::{B, assert_close, cases, tensor, values};

/// Loss and gradient with respect to the squared errors.
fn weighted(weight: Weight, squared: &[f64]) -> (f64, Vec<f64>) {
    let squared = tensor::<B, 1>(squared, [squared.len()]).require_grad();
    let loss = weight.loss(squared.clone());
    let gradients = loss.backward();
    (values(loss)[0], values(squared.grad(&gradients).expect("a gradient")))
}

/// `L = mean(s/(s + eps)^p)`, and `∂L/∂s = 1/(n·(s + eps)^p)` because the weight is under stop-gradient.
fn check(p: f64, eps: f64, squared: &[f64]) {
    let (loss, gradient) = weighted(Weight { p, eps }, squared);
    let n = squared.len() as f64;
    let expected = squared.iter().map(|s| s / (s + eps).powf(p)).sum::<f64>() / n;
    assert_close(&format!("loss, p = {p}"), &[loss], &[expected], 1e-13);
    let expected: Vec<f64> = squared.iter().map(|s| (s + eps).powf(-p) / n).collect();
    assert_close(&format!("gradient, p = {p}"), &gradient, &expected, 1e-13);
}

#[test]
fn named_powers() {
    for p in [0.0, 0.5, 0.75, 1.0, 2.0] {
        check(p, 0.01, &[0.0, 1e-6, 0.3, 4.0, 1e3]);
    }
}

#[test]
fn power_one_pins_the_loss_below_one() {
    let (loss, _) = weighted(Weight { p: 1.0, eps: 1e-3 }, &[10.0, 1e4]);
    assert!(loss < 1.0 && loss > 0.9999, "{loss}");
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_power(
        p in 0.0f64..3.0,
        eps in 1e-4f64..1.0,
        squared in prop::collection::vec(0.0f64..100.0, 1..9),
    ) {
        check(p, eps, &squared);
    }
}
