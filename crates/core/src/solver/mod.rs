//! Samplers: from noise at `t = 1` to data at `t = 0`, one file each, listed in [`Solver`].

mod euler;
mod grid;
mod heun;
mod meanflow;
mod midpoint;
mod rk4;

pub use grid::{Grid, GridError};

use crate::{Backbone, Condition};
use burn::tensor::{Tensor, backend::Backend};

/// The registry of solvers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// `z_r = z_t − (t−r)·u(z_t, r, t)`: the average velocity, exact for any step if `u` is.
    MeanFlow,
    /// Euler on the instantaneous velocity, order 1.
    Euler,
    /// Heun's trapezoidal method, order 2.
    Heun,
    /// Explicit midpoint, order 2.
    Midpoint,
    /// Classical Runge–Kutta, order 4.
    Rk4,
}

impl Solver {
    /// Every solver, in the order of documentation.
    pub const ALL: [Solver; 5] =
        [Solver::MeanFlow, Solver::Euler, Solver::Heun, Solver::Midpoint, Solver::Rk4];

    /// The name in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Solver::MeanFlow => "meanflow",
            Solver::Euler => "euler",
            Solver::Heun => "heun",
            Solver::Midpoint => "midpoint",
            Solver::Rk4 => "rk4",
        }
    }

    /// Network evaluations (NFE) that one step costs.
    pub fn evaluations_per_step(self) -> usize {
        match self {
            Solver::MeanFlow | Solver::Euler => 1,
            Solver::Heun | Solver::Midpoint => 2,
            Solver::Rk4 => 4,
        }
    }

    /// One step from `t` down to `r`.
    fn step<B: Backend, N: Backbone<B>>(
        self,
        net: &N,
        z: Tensor<B, 4>,
        t: f64,
        r: f64,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        match self {
            Solver::MeanFlow => meanflow::step(net, z, t, r, condition),
            Solver::Euler => euler::step(net, z, t, r, condition),
            Solver::Heun => heun::step(net, z, t, r, condition),
            Solver::Midpoint => midpoint::step(net, z, t, r, condition),
            Solver::Rk4 => rk4::step(net, z, t, r, condition),
        }
    }

    /// The samples that noise `z` (`[batch, channels, height, width]`, at the grid's first time) flows to.
    pub fn sample<B: Backend, N: Backbone<B>>(
        self,
        net: &N,
        z: Tensor<B, 4>,
        grid: &Grid,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        grid.pairs().fold(z, |z, (t, r)| self.step(net, z, t, r, condition))
    }

    /// Like [`Self::sample`], with the state at every time of the grid, noise first.
    pub fn trajectory<B: Backend, N: Backbone<B>>(
        self,
        net: &N,
        z: Tensor<B, 4>,
        grid: &Grid,
        condition: &Condition<B>,
    ) -> Vec<Tensor<B, 4>> {
        let mut states = vec![z];
        for (t, r) in grid.pairs() {
            let last = states[states.len() - 1].clone();
            states.push(self.step(net, last, t, r, condition));
        }
        states
    }
}

/// `u(z, r, t)` with one pair of times for all rows.
fn average_velocity<B: Backend, N: Backbone<B>>(
    net: &N,
    z: Tensor<B, 4>,
    r: f64,
    t: f64,
    condition: &Condition<B>,
) -> Tensor<B, 4> {
    let (rows, options) = (z.dims()[0], (&z.device(), z.dtype()));
    let time = |value: f64| Tensor::full([rows], value, options);
    net.forward(z.clone(), time(r), time(t), condition)
}

/// `v(z, t) = u(z, t, t)`.
fn velocity<B: Backend, N: Backbone<B>>(
    net: &N,
    z: Tensor<B, 4>,
    t: f64,
    condition: &Condition<B>,
) -> Tensor<B, 4> {
    average_velocity(net, z, t, t, condition)
}
