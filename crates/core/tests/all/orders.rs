//! Orders of convergence: the slope of log error against log step, on flows with a closed form.

use burn::backend::Flex;
use meanflow_core::{
    Backbone, Condition, Solver,
    interpolant::per_row,
    solver::{Field, Grid},
};

use crate::{
    common::{FRESH, field, tensor, values},
    gaussian::Gaussian,
};

/// The observed order of `solver` from `t = 1` to 0: the slope between 64 and 256 steps.
fn order<N: Backbone<Flex>>(solver: Solver, net: &N, noise: [f64; 4], exact: [f64; 4]) -> f64 {
    let error = |steps| {
        let z = tensor::<Flex, 4>(&noise, [2, 2, 1, 1]);
        let end = values(solver.sample(&Field::new(net, Condition::none()), z, &Grid::uniform(steps), FRESH));
        end.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    (error(64) / error(256)).log(4.0)
}

/// `dz/dt = t·z²`, neither linear nor autonomous: `1/z_0 = 1/z_1 + 1/2`. The MeanFlow step with an instantaneous velocity
/// in place of the average one is Euler's.
#[test]
fn a_nonlinear_flow() {
    let net = field(|z, _, t| z.powi_scalar(2) * per_row(t));
    let noise = [0.25, 0.5, 0.75, 1.0];
    for (solver, expected) in [
        (Solver::MeanFlow, 1.0),
        (Solver::Euler, 1.0),
        (Solver::Heun, 2.0),
        (Solver::Midpoint, 2.0),
        (Solver::Rk4, 4.0),
    ] {
        let found = order(solver, &net, noise, noise.map(|z| z / (1.0 + z / 2.0)));
        assert!((found - expected).abs() < 0.1, "{}: order {found}", solver.name());
    }
}

/// The midpoint method is of order 3 on the Gaussian flow. For `dz/dt = a·z` its error in `ln z` is `h²` times the integral
/// of `a''/24 + a·a'/4 + a³/6`, which vanishes over every interval if `a = q'/2q` with a quadratic `q`, here `S²`.
#[test]
fn the_gaussian_flow() {
    let noise = [-1.5, 0.3, 0.8, 2.0];
    for (solver, expected) in
        [(Solver::Euler, 1.0), (Solver::Heun, 2.0), (Solver::Midpoint, 3.0), (Solver::Rk4, 4.0)]
    {
        let found = order(solver, &Gaussian { sd: 0.6 }, noise, noise.map(|z| 0.6 * z));
        assert!((found - expected).abs() < 0.1, "{}: order {found}", solver.name());
    }
}
