//! The derivative of a network along a path: exact, or by differences of evaluations.

use super::{Direction, Path, Point};
use crate::{
    Backbone, Condition,
    objective::{
        Cost, TrainBackend,
        derivative::{off_tape, tangent},
        labels::outer,
    },
};
use burn::tensor::Tensor;
use meanflow_jvp::Dual;
use meanflow_settings::{Number, Reader};

/// How `dF/dt` is taken along the direction `(v, 0, 1)` of a point, or another ([`Direction`]): then what is added to `t` below is added to
/// the times that move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Derivative {
    /// The Jacobian-vector product along `(v, 0, 1)`, in the pass that gives `F`.
    Jvp,
    /// `[F(z₊, r, t+h) − F(z₋, r, t−h)]/2h` at the points `z ± h·v` of the path (TiM, MeanFlow-RAE): two more passes.
    Central {
        /// The time `h`.
        step: f64,
    },
    /// `[cos h·F(z, t) − F(cos h·z − sin h·v, t−h)]/sin h` (rCM), on the straight path `[F(z, t) − F(z − h·v, t−h)]/h`: one more
    /// pass.
    Backward {
        /// The time `h`.
        step: f64,
    },
    /// Exact in `z`, and as [`Backward`](Self::Backward) in `t` at fixed `z` (rCM).
    Mixed {
        /// The time `h`.
        step: f64,
    },
}

impl Derivative {
    /// The key `derivative`: `"jvp"`, or a table of one of the others.
    pub fn read(r: &mut Reader, default: Self) -> Self {
        let (name, step) = match default {
            Self::Jvp => ("jvp", 5e-3),
            Self::Central { step } => ("central", step),
            Self::Backward { step } => ("backward", step),
            Self::Mixed { step } => ("mixed", step),
        };
        let kinds = ["central", "backward", "mixed"];
        let read = |name: &'static str, r: &mut Reader| match name {
            "central" => Self::Central { step: r.get("step", Number::POSITIVE, step) },
            "backward" => Self::Backward { step: r.get("step", Number::POSITIVE, step) },
            "mixed" => Self::Mixed { step: r.get("step", Number::POSITIVE, step) },
            _ => Self::Jvp,
        };
        r.either("derivative", "a way to a derivative", &["jvp"], &kinds, name, read).unwrap_or(default)
    }

    /// Whether the pass that gives `F` carries tangents.
    pub fn is_dual(self) -> bool {
        matches!(self, Self::Jvp | Self::Mixed { .. })
    }

    /// The passes that it takes a row.
    pub fn cost(self) -> Cost {
        let plain = match self {
            Self::Jvp => 0.0,
            Self::Central { .. } => 2.0,
            Self::Backward { .. } | Self::Mixed { .. } => 1.0,
        };
        Cost { dual: if self.is_dual() { 1.0 } else { 0.0 }, ..Cost::one_pass(plain) }
    }

    /// `F` on the tape and its derivative along `v` and the times that move off it; `frozen` has the weights of `net`.
    pub fn along<B, N, F>(
        self,
        (path, moves): (Path, Direction),
        (net, frozen): (&N, &F),
        point: &Point<B::InnerBackend>,
        condition: &Condition<B::InnerBackend>,
    ) -> (Tensor<B, 4>, Tensor<B::InnerBackend, 4>)
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Point { z, direction, r, t } = point;
        let told = |t: Tensor<B::InnerBackend, 1>| t * path.told();
        let after = |time: &Tensor<B::InnerBackend, 1>, moves: bool, h: f64| {
            told(if moves { time.clone() + h } else { time.clone() })
        };
        let at = |z: Tensor<B::InnerBackend, 4>, h: f64| {
            frozen.forward(path.input(z), after(r, moves.r, h), after(t, moves.t, h), condition)
        };
        let near = |h: f64| {
            let [c, s] = path.turn(h);
            at(z.clone() * c + direction.clone() * s, h)
        };
        let mut place = Tensor::from_inner(path.input(z.clone()));
        if self.is_dual() {
            place = place.with_tangent(tangent::<B, 4>(path.input(direction.clone())));
        }
        let time = |time: &Tensor<B::InnerBackend, 1>, moves: bool| {
            let now = Tensor::<B, 1>::from_inner(told(time.clone()));
            if self == Self::Jvp && moves {
                now.with_tangent(tangent::<B, 1>(told(time.ones_like())))
            } else {
                now
            }
        };
        let output = net.forward(place, time(r, moves.r), time(t, moves.t), &outer(condition.clone()));
        let (output, exact) = output.split_tangent();
        let exact = || exact.map_or_else(|| z.zeros_like(), off_tape::<B, 4>);
        let back = |before: Tensor<B::InnerBackend, 4>, h: f64| {
            let [c, s] = path.turn(h);
            (output.clone().inner() * c - before) * s.recip()
        };
        let derivative = match self {
            Self::Jvp => exact(),
            Self::Central { step } => (near(step) - near(-step)) * (0.5 / step),
            Self::Backward { step } => back(near(-step), step),
            Self::Mixed { step } => exact() + back(at(z.clone(), -step), step),
        };
        (output, derivative)
    }
}
