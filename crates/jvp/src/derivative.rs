//! Derivatives of the elementwise functions, as products with a tangent.
//!
//! Each takes the input `x` or the output `y` of its function, whichever makes the derivative cheaper, and `dx`.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::backend::Backend;
use burn::tensor::ops::{BoolTensor, FloatTensor as F, IntTensor};
use burn::tensor::{Scalar, Shape, Slice, TensorMetadata, get_device_settings};

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

/// `dy = σ(−x)·dx`.
pub(crate) fn log_sigmoid<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    B::float_mul(B::sigmoid(B::float_neg(x)), dx)
}

/// `dx` where `x ≥ 0`, `slope·dx` below.
pub(crate) fn leaky_relu<B: Backend>(x: F<B>, dx: F<B>, slope: Scalar) -> F<B> {
    let bool_dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    let below = B::float_lower_elem(x, 0.0f64.into(), bool_dtype);
    let scaled = B::float_mul_scalar(dx.clone(), slope);
    B::float_mask_where(dx, below, scaled)
}

/// `y = softmax(x)`: `dy = y·(dx − Σ y·dx)`, the sum along `dim`.
pub(crate) fn softmax<B: Backend>(y: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let mean = B::float_sum_dim(B::float_mul(y.clone(), dx.clone()), dim);
    B::float_mul(y, B::float_sub(dx, mean))
}

/// `y = log softmax(x)`: `dy = dx − Σ exp(y)·dx`, the sum along `dim`.
pub(crate) fn log_softmax<B: Backend>(y: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let mean = B::float_sum_dim(B::float_mul(B::float_exp(y), dx.clone()), dim);
    B::float_sub(dx, mean)
}

/// `y = Π x` along `dim`: `dy = Σᵢ dxᵢ Π_{j≠i} xⱼ`, exact where elements are zero (no division by `x`).
pub(crate) fn product<B: Backend>(x: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let before = products_before::<B>(x.clone(), dim);
    let reversed = B::float_flip(x, &[dim]);
    let after = B::float_flip(products_before::<B>(reversed, dim), &[dim]);
    B::float_sum_dim(B::float_mul(B::float_mul(before, after), dx), dim)
}

/// `yᵢ = Π_{j<i} xⱼ` along `dim`.
fn products_before<B: Backend>(x: F<B>, dim: usize) -> F<B> {
    let mut first = x.shape();
    let length = first[dim];
    first[dim] = 1;
    let ones = B::float_ones(first, &B::float_device(&x), x.dtype().into());
    if length == 1 {
        return ones;
    }
    let shifted = B::float_cat(vec![ones, narrow::<B>(x, dim, 0, length - 1)], dim);
    B::float_cumprod(shifted, dim)
}

/// The elements `start..end` along `dim`.
fn narrow<B: Backend>(x: F<B>, dim: usize, start: usize, end: usize) -> F<B> {
    let slices = narrowed(&x.shape(), dim, start, end);
    B::float_slice(x, &slices)
}

/// The slices that take `start..end` along `dim` and everything along the others.
pub(crate) fn narrowed(shape: &Shape, dim: usize, start: usize, end: usize) -> Vec<Slice> {
    (0..shape.num_dims())
        .map(|axis| {
            let (start, end) = if axis == dim { (start, end) } else { (0, shape[axis]) };
            Slice::new(start as isize, Some(end as isize), 1)
        })
        .collect()
}

/// `yₖ = Π_{i≤k} xᵢ` along `dim`: `dyₖ = dyₖ₋₁·xₖ + yₖ₋₁·dxₖ`, as a scan by doubling, exact where elements are zero.
pub(crate) fn cumulative_product<B: Backend>(x: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let length = x.shape()[dim];
    let (mut y, mut dy) = (x, dx);
    let mut stride = 1;
    while stride < length {
        // Elements k ≥ stride take in the product of the `stride` elements before theirs.
        let earlier = |x: &F<B>| narrow::<B>(x.clone(), dim, 0, length - stride);
        let later = |x: &F<B>| narrow::<B>(x.clone(), dim, stride, length);
        let first = |x: &F<B>| narrow::<B>(x.clone(), dim, 0, stride);
        let slope =
            B::float_add(B::float_mul(earlier(&dy), later(&y)), B::float_mul(earlier(&y), later(&dy)));
        let product = B::float_mul(earlier(&y), later(&y));
        dy = B::float_cat(vec![first(&dy), slope], dim);
        y = B::float_cat(vec![first(&y), product], dim);
        stride *= 2;
    }
    dy
}

/// `dx` where `y > 0`, else zero.
pub(crate) fn relu<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::relu_backward(y, dx)
}

/// `dy = y·(1 − y)·dx`.
pub(crate) fn sigmoid<B: Backend>(y: F<B>, dx: F<B>) -> F<B> {
    B::sigmoid_backward(y, dx)
}

/// The losses `[batch]` of `log_probs` `[time, batch, classes]`: `dloss = Σ ∂loss/∂log_probs · dlog_probs` for each sample.
pub(crate) fn ctc_loss<B: Backend>(
    log_probs: F<B>,
    dlog_probs: F<B>,
    targets: IntTensor<B>,
    input_lengths: IntTensor<B>,
    target_lengths: IntTensor<B>,
    blank: usize,
) -> F<B> {
    let batch = log_probs.shape()[1];
    let ones = B::float_ones(Shape::new([batch]), &B::float_device(&log_probs), log_probs.dtype().into());
    let grad = B::ctc_loss_backward(log_probs, targets, input_lengths, target_lengths, ones, blank);
    let products = B::float_mul(grad, dlog_probs);
    let sums = B::float_sum_dim(B::float_sum_dim(products, 2), 0);
    B::float_reshape(sums, Shape::new([batch]))
}
