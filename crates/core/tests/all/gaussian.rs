//! Gaussian data `x ~ N(0, sd²)`: the marginal flow and its average velocity in closed form.
//!
//! `z_t = S(t)·z_1/S(1)` with `S(t)² = (1−t)²·sd² + t²`, so `u(z_t, r, t) = z_t·(1 − S(r)/S(t))/(t−r)` and
//! `v(z, t) = (t − (1−t)·sd²)·z/S(t)²`.

use burn::{
    backend::Flex,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{
    Backbone, Condition, Solver,
    interpolant::per_row,
    solver::{Field, Grid},
};
use meanflow_jvp::{Jvp, jvp};
use proptest::prelude::*;

use crate::common::{FRESH, assert_close, cases, tensor, uniform, values};

type Plain = Jvp<Flex>;

/// The exact average velocity of Gaussian data.
pub struct Gaussian {
    pub sd: f64,
}

impl Gaussian {
    /// `S(t)`.
    fn scale(&self, t: f64) -> f64 {
        ((1.0 - t).powi(2) * self.sd.powi(2) + t * t).sqrt()
    }

    fn v(&self, z: f64, t: f64) -> f64 {
        (t - (1.0 - t) * self.sd.powi(2)) * z / self.scale(t).powi(2)
    }
}

impl<B: Backend> Backbone<B> for Gaussian {
    /// `1 − S(r)/S(t) = (S(t)² − S(r)²)/(S(t)·(S(t) + S(r)))`, whose numerator has the factor `t − r`: no division by it.
    fn forward(&self, z: Tensor<B, 4>, r: Tensor<B, 1>, t: Tensor<B, 1>, _: &Condition<B>) -> Tensor<B, 4> {
        let variance = self.sd.powi(2);
        let scale =
            |t: Tensor<B, 1>| ((t.clone().neg() + 1.0).powi_scalar(2) * variance + t.powi_scalar(2)).sqrt();
        let slope = (t.clone() + r.clone()) * (1.0 + variance) - 2.0 * variance;
        let (now, then) = (scale(t), scale(r));
        z * per_row(slope / (now.clone() * (now + then)))
    }

    fn classes(&self) -> Option<usize> {
        None
    }
}

/// `u` at one point for every row of times.
fn u(data: &Gaussian, z: &[f64], r: &[f64], t: &[f64]) -> Vec<f64> {
    let rows = z.len();
    values(data.forward(
        tensor::<Flex, 4>(z, [rows, 1, 1, 1]),
        tensor(r, [rows]),
        tensor(t, [rows]),
        &Condition::none(),
    ))
}

#[test]
fn the_field_is_the_closed_form() {
    let data = Gaussian { sd: 0.7 };
    let (z, r, t) = ([0.3, -1.2, 2.0], [0.0, 0.25, 0.9], [1.0, 0.75, 0.95]);
    let expected: Vec<f64> =
        (0..3).map(|i| z[i] * (1.0 - data.scale(r[i]) / data.scale(t[i])) / (t[i] - r[i])).collect();
    assert_close("u", &u(&data, &z, &r, &t), &expected, 1e-13);
    let expected: Vec<f64> = (0..3).map(|i| data.v(z[i], t[i])).collect();
    assert_close("v", &u(&data, &z, &t, &t), &expected, 1e-14);
}

proptest! {
    #![proptest_config(cases(64))]

    /// `u = v − (t−r)·du/dt` with `du/dt` along the marginal velocity: the identity that MeanFlow trains on.
    #[test]
    fn meanflow_identity(sd in 0.2f64..3.0, seed in 0u64..1000) {
        let data = Gaussian { sd };
        let rows = 16;
        let z: Vec<f64> = uniform(rows, seed).iter().map(|z| 2.0 * z).collect();
        let (a, b) = (uniform(rows, seed + 1000), uniform(rows, seed + 2000));
        let times = |pick: fn(f64, f64) -> f64| -> Vec<f64> {
            a.iter().zip(&b).map(|(&a, &b)| (pick(a, b) + 1.0) / 2.0).collect()
        };
        let (r, t) = (times(f64::min), times(f64::max));
        let v: Vec<f64> = z.iter().zip(&t).map(|(&z, &t)| data.v(z, t)).collect();
        let shape = [rows, 1, 1, 1];
        let (u, dudt) = jvp(
            |(z, r, t): (Tensor<Plain, 4>, Tensor<Plain, 1>, Tensor<Plain, 1>)| {
                data.forward(z, r, t, &Condition::none())
            },
            (tensor(&z, shape), tensor(&r, [rows]), tensor(&t, [rows])),
            (tensor(&v, shape), tensor(&vec![0.0; rows], [rows]), tensor(&vec![1.0; rows], [rows])),
        );
        let (u, dudt) = (values(u), values(dudt));
        for i in 0..rows {
            let residual = u[i] - (v[i] - (t[i] - r[i]) * dudt[i]);
            let scale = 1.0 + v[i].abs() + dudt[i].abs();
            prop_assert!(residual.abs() < 1e-14 * scale, "row {i}: {residual:e}, scale {scale:e}");
        }
    }

    /// `(t−r)·u(z_t, r, t) = (s−r)·u(z_s, r, s) + (t−s)·u(z_t, s, t)`: displacements add up.
    #[test]
    fn semigroup_identity(sd in 0.2f64..3.0, z in -3.0f64..3.0, mut times in [0.0f64..=1.0, 0.0..=1.0, 0.0..=1.0]) {
        times.sort_by(f64::total_cmp);
        let ([r, s, t], data) = (times, Gaussian { sd });
        let earlier = z * data.scale(s) / data.scale(t);
        let u = u(&data, &[z, earlier, z], &[r, r, s], &[t, s, t]);
        let difference = (t - r) * u[0] - (s - r) * u[1] - (t - s) * u[2];
        prop_assert!(difference.abs() < 1e-14 * (1.0 + z.abs() / data.scale(t)), "{difference:e}");
    }

    /// The exact average velocity makes the MeanFlow step exact on every grid.
    #[test]
    fn the_meanflow_solver_is_exact_on_any_grid(
        sd in 0.2f64..3.0,
        mut times in prop::collection::vec(0.0f64..=1.0, 2..10),
    ) {
        times.sort_by(|a, b| b.total_cmp(a));
        times.dedup();
        prop_assume!(times.len() >= 2);
        let data = Gaussian { sd };
        let ratio = data.scale(times[times.len() - 1]) / data.scale(times[0]);
        let noise = uniform(6, 1);
        let expected: Vec<f64> = noise.iter().map(|z| z * ratio).collect();
        let grid = Grid::new(times).expect("a grid");
        let z = tensor::<Flex, 4>(&noise, [3, 2, 1, 1]);
        let end = values(Solver::MeanFlow.sample(&Field::new(&data, Condition::none()), z, &grid, FRESH));
        for (end, expected) in end.iter().zip(expected) {
            prop_assert!((end - expected).abs() < 1e-13 * (1.0 + ratio), "{end} {expected}");
        }
    }
}

#[test]
fn one_two_and_seven_meanflow_steps_agree() {
    let (data, noise) = (Gaussian { sd: 0.6 }, uniform(8, 3));
    let expected: Vec<f64> = noise.iter().map(|z| 0.6 * z).collect();
    for times in [vec![1.0, 0.0], vec![1.0, 0.3, 0.0], vec![1.0, 0.97, 0.8, 0.55, 0.5, 0.2, 0.01, 0.0]] {
        let steps = times.len() - 1;
        let z = tensor::<Flex, 4>(&noise, [2, 2, 1, 2]);
        let grid = Grid::new(times).expect("a grid");
        let end = values(Solver::MeanFlow.sample(&Field::new(&data, Condition::none()), z, &grid, FRESH));
        assert_close(&format!("{steps} steps"), &end, &expected, 1e-14);
    }
}
