//! Derivatives as products with a tangent, on the backend of the tangents.
//!
//! Each takes the input `x` or the output `y` of its function, whichever makes the derivative cheaper, the tangent `dx`
//! and the function's further arguments.

pub(crate) mod axis;
pub(crate) mod elementwise;
pub(crate) mod pair;
pub(crate) mod selection;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor as F;

/// `1 + x`.
fn one_plus<B: Backend>(x: F<B>) -> F<B> {
    B::float_add_scalar(x, 1.0f64.into())
}

/// `1 − x`.
fn one_minus<B: Backend>(x: F<B>) -> F<B> {
    one_plus::<B>(B::float_neg(x))
}

fn square<B: Backend>(x: F<B>) -> F<B> {
    B::float_mul(x.clone(), x)
}
