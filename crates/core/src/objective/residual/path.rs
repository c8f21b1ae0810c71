//! The path of a residual: straight, or on the circle of TrigFlow, with the point of a time, its velocity and what a network is told.

use crate::{
    flow::TrigFlow,
    interpolant::{PathSample, linear_path, per_row},
};
use burn::tensor::{Tensor, backend::Backend};
use std::f64::consts::FRAC_2_PI;

/// Where samples lie between data and noise. A time is the path's own: `t` in [0, 1], or an angle in [0, π/2].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Path {
    /// `z_t = (1−t)·x + t·e`, `dz/dt = e − x`; the output is the velocity.
    Straight,
    /// `z_a = cos a·x + sin a·σ_d·e`, `dz/da = cos a·σ_d·e − sin a·x`; the network sees `z/σ_d` and `2a/π`, and `σ_d` times its output
    /// is the velocity (sCM, arXiv 2410.11081).
    Trig(TrigFlow),
}

impl Path {
    /// The path's time of a house time `t`.
    pub(super) fn own(self, t: f64) -> f64 {
        match self {
            Self::Straight => t,
            Self::Trig(trig) => trig.angle(t),
        }
    }

    /// The number that a network is told of a time.
    pub(super) fn told(self) -> f64 {
        match self {
            Self::Straight => 1.0,
            Self::Trig(_) => FRAC_2_PI,
        }
    }

    /// The point at `t`, `[batch]`, and its velocity.
    pub(super) fn sample<B: Backend>(
        self,
        x: Tensor<B, 4>,
        e: Tensor<B, 4>,
        t: Tensor<B, 1>,
    ) -> PathSample<B> {
        match self {
            Self::Straight => linear_path(x, e, t),
            Self::Trig(trig) => {
                let (cos, sin) = (per_row(t.clone().cos()), per_row(t.sin()));
                let e = e * trig.sigma_data;
                let z = x.clone() * cos.clone() + e.clone() * sin.clone();
                PathSample { z, v: e * cos - x * sin }
            }
        }
    }

    /// The network's input of a point, or of a direction.
    pub(super) fn input<B: Backend>(self, z: Tensor<B, 4>) -> Tensor<B, 4> {
        match self {
            Self::Straight => z,
            Self::Trig(trig) => z * trig.sigma_data.recip(),
        }
    }

    /// `z` and its velocity as far as they go in the time `h`: the point `c·z + s·v` of the same data and noise.
    pub(super) fn turn(self, h: f64) -> [f64; 2] {
        match self {
            Self::Straight => [1.0, h],
            Self::Trig(_) => [h.cos(), h.sin()],
        }
    }
}

/// What the residual of a row is made of: `g = error·(F − v) + state·z + slope·dF/dt`.
///
/// With the warm-up `w`, between 0 and 1, and the distance `h = t − r`:
///
/// | | error | state | slope | |
/// |---|---|---|---|---|
/// | `Plain`, straight | 1 | 0 | w·h | MeanFlow, ESC, MeanFlow-RAE, FACM, DMF |
/// | `Plain`, circle | 1 | w·tan h | w·tan h | TiM |
/// | `Scm`, straight | sin(πt/2) | 0 | w·t·sin(πt/2) | sCM on the straight path (code of FACM) |
/// | `Scm`, circle | cos²t | w·cos t·sin t | w·cos t·sin t | sCM |
/// | `Rcm`, circle | cos t·√(1 − w²·sin²t) | w·cos t·sin t | cos t·sin t | rCM |
///
/// The two of sCM and that of rCM are for `r = 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Of the map itself.
    Plain,
    /// Of sCM's weighted tangent.
    Scm,
    /// Of rCM's.
    Rcm,
}

impl Form {
    /// The three factors of a row.
    pub(super) fn factors(self, path: Path, r: f64, t: f64, warm: f64) -> [f64; 3] {
        let (sin, cos) = t.sin_cos();
        match (self, path) {
            (Self::Plain, Path::Straight) => [1.0, 0.0, warm * (t - r)],
            (Self::Plain, Path::Trig(_)) => {
                let tan = (t - r).tan();
                [1.0, warm * tan, warm * tan]
            }
            (_, Path::Straight) => {
                let front = (std::f64::consts::FRAC_PI_2 * t).sin();
                [front, 0.0, front * warm * (t - r)]
            }
            (Self::Scm, Path::Trig(_)) => [cos * cos, warm * cos * sin, warm * cos * sin],
            (Self::Rcm, Path::Trig(_)) => {
                [cos * (1.0 - (warm * sin).powi(2)).sqrt(), warm * cos * sin, cos * sin]
            }
        }
    }
}
