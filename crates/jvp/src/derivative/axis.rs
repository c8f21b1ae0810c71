//! Functions along an axis: normalisations, products, and the loss of an alignment.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor as F, IntTensor};
use burn::tensor::{Shape, Slice, TensorMetadata};

/// `y = softmax(x)`: `dy = y·(dx − Σ y·dx)`, the sum along `dim`.
pub(crate) fn softmax<B: Backend>(y: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let mean = B::float_sum_dim(B::float_mul(y.clone(), dx.clone()), dim);
    B::float_mul(y, B::float_sub(dx, mean))
}

/// `y = softmax(−x)`: `dy = −y·(dx − Σ y·dx)`.
pub(crate) fn softmin<B: Backend>(y: F<B>, dx: F<B>, dim: usize) -> F<B> {
    softmax::<B>(y, B::float_neg(dx), dim)
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

/// `y = Π x` over all elements.
pub(crate) fn product_of_all<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    let flat = Shape::new([x.shape().num_elements()]);
    product::<B>(B::float_reshape(x, flat.clone()), B::float_reshape(dx, flat), 0)
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
