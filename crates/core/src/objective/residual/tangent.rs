//! How far the target lies from the network's own output: `F − A(g)` for the residual `g`.

use crate::interpolant::{per_row, squared_norm};
use burn::tensor::{Tensor, backend::Backend};

/// What is made of the residual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tangent {
    /// `A(g) = g`: the target is where the residual vanishes.
    Whole,
    /// `A(g) = g/(‖g‖ + c)` (sCM).
    Normalised {
        /// Added to the norm.
        c: f64,
        /// Whether the norm is that of the root of the mean square, which does not grow with the elements.
        mean: bool,
    },
    /// `A(g) = (1 − (1−t)^power)·clamp(g, −1, 1)` (FACM).
    Clamped {
        /// Power of the relaxation.
        power: f64,
    },
}

impl Tangent {
    /// `A(g)` for the times `t` of the rows.
    pub(super) fn of<B: Backend>(self, g: Tensor<B, 4>, t: &Tensor<B, 1>) -> Tensor<B, 4> {
        match self {
            Self::Whole => g,
            Self::Normalised { c, mean } => {
                let elements: usize = g.dims()[1..].iter().product();
                let squares = squared_norm(g.clone()) / if mean { elements as f64 } else { 1.0 };
                g / per_row(squares.sqrt() + c)
            }
            Self::Clamped { power } => {
                let alpha = (-t.clone() + 1.0).powf_scalar(power).neg() + 1.0;
                g.clamp(-1.0, 1.0) * per_row(alpha)
            }
        }
    }
}
