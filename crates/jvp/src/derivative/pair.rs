//! Functions of two tensors that are not linear in each: the part of each operand, as `(x, y, dx)` and `(x, y, dy)`.

use burn::tensor::backend::Backend;
use burn::tensor::get_device_settings;
use burn::tensor::ops::{BoolTensor, FloatTensor as F};

/// `z = x/y`: `dx/y`.
pub(crate) fn quotient_x<B: Backend>(_x: F<B>, y: F<B>, dx: F<B>) -> F<B> {
    B::float_div(dx, y)
}

/// `z = x/y`: `−x·dy/y²`.
pub(crate) fn quotient_y<B: Backend>(x: F<B>, y: F<B>, dy: F<B>) -> F<B> {
    let slope = B::float_div(B::float_div(x, y.clone()), y);
    B::float_mul(B::float_neg(slope), dy)
}

/// `z = x − ⌊x/y⌋·y`: `dx`.
pub(crate) fn remainder_x<B: Backend>(_x: F<B>, _y: F<B>, dx: F<B>) -> F<B> {
    dx
}

/// `z = x − ⌊x/y⌋·y`: `−⌊x/y⌋·dy`.
pub(crate) fn remainder_y<B: Backend>(x: F<B>, y: F<B>, dy: F<B>) -> F<B> {
    B::float_neg(B::float_mul(B::float_floor(B::float_div(x, y)), dy))
}

/// `z = atan2(y, x)`: `x·dy / (x² + y²)`.
pub(crate) fn angle_y<B: Backend>(y: F<B>, x: F<B>, dy: F<B>) -> F<B> {
    let norm = squared_norm::<B>(x.clone(), y);
    B::float_mul(B::float_div(x, norm), dy)
}

/// `z = atan2(y, x)`: `−y·dx / (x² + y²)`.
pub(crate) fn angle_x<B: Backend>(y: F<B>, x: F<B>, dx: F<B>) -> F<B> {
    let norm = squared_norm::<B>(x, y.clone());
    B::float_mul(B::float_neg(B::float_div(y, norm)), dx)
}

fn squared_norm<B: Backend>(x: F<B>, y: F<B>) -> F<B> {
    B::float_add(super::square::<B>(x), super::square::<B>(y))
}

/// `z = x^c`, the part of the base: `c·x^(c−1)·dx`, zero where `c = 0`.
pub(crate) fn power_base<B: Backend>(x: F<B>, c: F<B>, dx: F<B>) -> F<B> {
    let is_zero = equals::<B>(&c, 0.0);
    let exponent = B::float_mask_fill(B::float_sub_scalar(c.clone(), 1.0f64.into()), is_zero, 0.0f64.into());
    B::float_mul(B::float_mul(c, B::float_powf(x, exponent)), dx)
}

/// `z = x^c`, the part of the exponent: `x^c·ln(x)·dc`, zero where `x = 0`.
pub(crate) fn power_exponent<B: Backend>(x: F<B>, c: F<B>, dc: F<B>) -> F<B> {
    let is_zero = equals::<B>(&x, 0.0);
    let log = B::float_log(B::float_mask_fill(x.clone(), is_zero, 1.0f64.into()));
    B::float_mul(B::float_mul(B::float_powf(x, c), log), dc)
}

fn equals<B: Backend>(x: &F<B>, value: f64) -> BoolTensor<B> {
    let bool_dtype = get_device_settings::<B>(&B::float_device(x)).bool_dtype;
    B::float_equal_elem(x.clone(), value.into(), bool_dtype)
}

/// `z = x` where `x ≥ 0`, `α·x` below: `dx` and `α·dx`.
pub(crate) fn prelu_x<B: Backend>(x: F<B>, alpha: F<B>, dx: F<B>) -> F<B> {
    let bool_dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    let below = B::float_lower_elem(x, 0.0f64.into(), bool_dtype);
    let scaled = B::float_mul(dx.clone(), alpha);
    B::float_mask_where(dx, below, scaled)
}

/// `z = x` where `x ≥ 0`, `α·x` below: `min(x, 0)·dα`.
pub(crate) fn prelu_alpha<B: Backend>(x: F<B>, _alpha: F<B>, dalpha: F<B>) -> F<B> {
    B::float_mul(B::float_clamp_max(x, 0.0f64.into()), dalpha)
}

/// `g·y·(1 − y)`, the gradient of the sigmoid: `g·(1 − 2y)·dy`.
pub(crate) fn sigmoid_gradient_y<B: Backend>(y: F<B>, grad: F<B>, dy: F<B>) -> F<B> {
    let slope = B::float_add_scalar(B::float_mul_scalar(y, (-2.0f64).into()), 1.0f64.into());
    B::float_mul(B::float_mul(grad, slope), dy)
}

/// `g·y·(1 − y)`: `dg·y·(1 − y)`.
pub(crate) fn sigmoid_gradient_grad<B: Backend>(y: F<B>, _grad: F<B>, dgrad: F<B>) -> F<B> {
    B::sigmoid_backward(y, dgrad)
}

/// `g·σ(−x)`, the gradient of the log-sigmoid: `−g·σ(x)·σ(−x)·dx`.
pub(crate) fn log_sigmoid_gradient_x<B: Backend>(x: F<B>, grad: F<B>, dx: F<B>) -> F<B> {
    let slope = B::sigmoid_backward(B::sigmoid(x), grad);
    B::float_neg(B::float_mul(slope, dx))
}

/// `g·σ(−x)`: `dg·σ(−x)`.
pub(crate) fn log_sigmoid_gradient_grad<B: Backend>(x: F<B>, _grad: F<B>, dgrad: F<B>) -> F<B> {
    B::log_sigmoid_backward(x, dgrad)
}
