//! Activations as functions of one number, each a type of its own: a choice inside a loop would keep it from being vectorised.

use super::exp::sigmoid;
use crate::operands::Activation;

/// `2·√(2/π)`, and that times 0.044715.
const GELU: [f32; 2] = [1.595_769, 0.071_354_82];

pub(super) trait Function {
    fn value(x: f32) -> f32;

    /// The derivative at `x`.
    fn slope(x: f32) -> f32;
}

/// Loops over any function.
pub(super) trait Loops {
    fn over<F: Function>(self);
}

impl Activation {
    /// Runs the loops over this function.
    #[inline(always)]
    pub(super) fn run<L: Loops>(self, loops: L) {
        match self {
            Self::None => loops.over::<Identity>(),
            Self::Silu => loops.over::<Silu>(),
            Self::GeluTanh => loops.over::<GeluTanh>(),
        }
    }
}

struct Identity;

impl Function for Identity {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn slope(_: f32) -> f32 {
        1.0
    }
}

struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        x * sigmoid(x)
    }

    #[inline(always)]
    fn slope(x: f32) -> f32 {
        product_slope(x, x)
    }
}

struct GeluTanh;

impl Function for GeluTanh {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        x * sigmoid(x * (GELU[0] + GELU[1] * x * x))
    }

    #[inline(always)]
    fn slope(x: f32) -> f32 {
        product_slope(x * (GELU[0] + GELU[1] * x * x), x * (GELU[0] + 3.0 * GELU[1] * x * x))
    }
}

/// The derivative of `x·σ(a)`, `σ·(1 + x·a'·(1 − σ))`, from `a` and `x·a'`.
#[inline(always)]
fn product_slope(a: f32, along: f32) -> f32 {
    let s = sigmoid(a);
    s * (1.0 + along * (1.0 - s))
}
