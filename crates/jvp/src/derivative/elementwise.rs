//! Functions of one number.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor as F;
use burn::tensor::{Scalar, get_device_settings};

use super::{one_minus, one_plus, square};

/// `dy = y·dx`.
pub(crate) fn exp<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(y, dx)
}

/// `dy = dx / x`.
pub(crate) fn log<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, x)
}

/// `dy = dx / (1 + x)`.
pub(crate) fn log1p<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, one_plus::<B>(x))
}

/// `dy = dx / 2y`.
pub(crate) fn sqrt<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, B::float_mul_scalar(y, 2.0f64.into()))
}

/// `dy = −y²·dx`.
pub(crate) fn recip<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::float_neg(B::float_mul(square::<B>(y), dx))
}

/// `dy = sign(x)·dx`.
pub(crate) fn abs<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(B::float_sign(x), dx)
}

/// `dy = −sin(x)·dx`.
pub(crate) fn cos<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_neg(B::float_mul(B::float_sin(x), dx))
}

/// `dy = cos(x)·dx`.
pub(crate) fn sin<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(B::float_cos(x), dx)
}

/// `dy = (1 + y²)·dx`.
pub(crate) fn tan<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(one_plus::<B>(square::<B>(y)), dx)
}

/// `dy = sinh(x)·dx`.
pub(crate) fn cosh<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(B::float_sinh(x), dx)
}

/// `dy = cosh(x)·dx`.
pub(crate) fn sinh<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(B::float_cosh(x), dx)
}

/// `dy = (1 − y²)·dx`.
pub(crate) fn tanh<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(one_minus::<B>(square::<B>(y)), dx)
}

/// `dy = −dx / √(1 − x²)`.
pub(crate) fn acos<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_neg(asin::<B>(x, dx))
}

/// `dy = dx / √(x² − 1)`.
pub(crate) fn acosh<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    let root = B::float_sqrt(B::float_sub_scalar(square::<B>(x), 1.0f64.into()));
    B::float_div(dx, root)
}

/// `dy = dx / √(1 − x²)`.
pub(crate) fn asin<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, B::float_sqrt(one_minus::<B>(square::<B>(x))))
}

/// `dy = dx / √(1 + x²)`.
pub(crate) fn asinh<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, B::float_sqrt(one_plus::<B>(square::<B>(x))))
}

/// `dy = dx / (1 + x²)`.
pub(crate) fn atan<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, one_plus::<B>(square::<B>(x)))
}

/// `dy = dx / (1 − x²)`.
pub(crate) fn atanh<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, one_minus::<B>(square::<B>(x)))
}

/// `dy = 2/√π · exp(−x²)·dx`.
pub(crate) fn erf<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    let bell = B::float_exp(B::float_neg(square::<B>(x)));
    B::float_mul_scalar(B::float_mul(bell, dx), (2.0 / PI.sqrt()).into())
}

/// `y = x^c`: `dy = c·x^(c−1)·dx`, which `c = 0` and `c = 1` must not evaluate: `0·0^(−1)` is not a number.
/// `c = 0` is the caller's (there is no tangent then).
pub(crate) fn power<B: Backend>(x: F<B>, dx: F<B>, c: f64) -> F<B> {
    if c == 1.0 {
        return dx;
    }
    let slope = B::float_mul_scalar(B::float_powf_scalar(x, (c - 1.0).into()), c.into());
    B::float_mul(slope, dx)
}

/// `dx` where `x ≥ min`, else zero.
pub(crate) fn clamp_min<B: Backend>(x: F<B>, dx: F<B>, min: Scalar) -> F<B> {
    let bool_dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    let below = B::float_lower_elem(x, min, bool_dtype);
    B::float_mask_fill(dx, below, 0.0f64.into())
}

/// `dx` where `x ≤ max`, else zero.
pub(crate) fn clamp_max<B: Backend>(x: F<B>, dx: F<B>, max: Scalar) -> F<B> {
    let bool_dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    let above = B::float_greater_elem(x, max, bool_dtype);
    B::float_mask_fill(dx, above, 0.0f64.into())
}

/// `dx` where `min ≤ x ≤ max`, else zero.
pub(crate) fn clamp<B: Backend>(x: F<B>, dx: F<B>, min: Scalar, max: Scalar) -> F<B> {
    clamp_max::<B>(x.clone(), clamp_min::<B>(x, dx, min), max)
}

/// `y = x·Φ(x)`: `dy = (Φ(x) + x·φ(x))·dx` with the normal distribution Φ and density φ.
pub(crate) fn gelu<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    let erf = B::float_erf(B::float_mul_scalar(x.clone(), FRAC_1_SQRT_2.into()));
    let distribution = B::float_mul_scalar(one_plus::<B>(erf), 0.5f64.into());
    let exponent = B::float_mul_scalar(square::<B>(x.clone()), (-0.5f64).into());
    let density = B::float_mul_scalar(B::float_exp(exponent), (1.0 / (2.0 * PI).sqrt()).into());
    let slope = B::float_add(distribution, B::float_mul(x, density));
    B::float_mul(slope, dx)
}

/// `dx` where `y > 0`, else zero.
pub(crate) fn relu<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::relu_backward(y, dx)
}

/// `dx` where `x ≥ 0`, `slope·dx` below.
pub(crate) fn leaky_relu<B: Backend>(x: F<B>, dx: F<B>, slope: Scalar) -> F<B> {
    let bool_dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    let below = B::float_lower_elem(x, 0.0f64.into(), bool_dtype);
    let scaled = B::float_mul_scalar(dx.clone(), slope);
    B::float_mask_where(dx, below, scaled)
}

/// `dy = y·(1 − y)·dx`.
pub(crate) fn sigmoid<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::sigmoid_backward(y, dx)
}

/// `dy = σ(−x)·dx`.
pub(crate) fn log_sigmoid<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(B::sigmoid(B::float_neg(x)), dx)
}

/// `y = clamp(α·x + β, 0, 1)`: `α·dx` where the clamp does not bind.
pub(crate) fn hard_sigmoid<B: Backend>(x: F<B>, dx: F<B>, alpha: Scalar, beta: Scalar) -> F<B> {
    let line = B::float_add_scalar(B::float_mul_scalar(x, alpha), beta);
    clamp::<B>(line, B::float_mul_scalar(dx, alpha), 0.0f64.into(), 1.0f64.into())
}
