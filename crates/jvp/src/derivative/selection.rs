//! Operations that select elements: the tangents of the elements that were taken.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor as F, IntTensor};
use burn::tensor::{IntDType, Shape, TensorMetadata, get_device_settings};

use super::elementwise;

/// The largest element.
pub(crate) fn max<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    flat::<B>(x, dx, B::float_argmax)
}

/// The smallest element.
pub(crate) fn min<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    flat::<B>(x, dx, B::float_argmin)
}

/// The largest absolute value.
pub(crate) fn max_abs<B: Backend>(x: F<B>, dx: F<B>) -> F<B> {
    let dx = elementwise::abs::<B>(x.clone(), dx);
    flat::<B>(B::float_abs(x), dx, B::float_argmax)
}

/// The largest absolute values along `dim`.
pub(crate) fn max_abs_dim<B: Backend>(x: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let dtype = get_device_settings::<B>(&B::float_device(&x)).int_dtype;
    let dx = elementwise::abs::<B>(x.clone(), dx);
    let indices = B::float_argmax(B::float_abs(x), dim, dtype);
    B::float_gather(dim, dx, indices)
}

/// The running maxima along `dim`.
pub(crate) fn cummax<B: Backend>(x: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let best = B::float_cummax(x.clone(), dim);
    running::<B>(x, best, dx, dim)
}

/// The running minima along `dim`.
pub(crate) fn cummin<B: Backend>(x: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let best = B::float_cummin(x.clone(), dim);
    running::<B>(x, best, dx, dim)
}

/// The tangent at the element that `arg` finds in the flattened `x`. Shape `[1]`.
fn flat<B: Backend>(x: F<B>, dx: F<B>, arg: impl FnOnce(F<B>, usize, IntDType) -> IntTensor<B>) -> F<B> {
    let flat = Shape::new([x.shape().num_elements()]);
    let dtype = get_device_settings::<B>(&B::float_device(&x)).int_dtype;
    let index = arg(B::float_reshape(x, flat.clone()), 0, dtype);
    B::float_gather(0, B::float_reshape(dx, flat), index)
}

/// The tangents of the running extrema `best` of `x` along `dim`: of the last element that equals its running extremum.
fn running<B: Backend>(x: F<B>, best: F<B>, dx: F<B>, dim: usize) -> F<B> {
    let device = B::float_device(&x);
    let settings = get_device_settings::<B>(&device);
    let shape = x.shape();
    let mut along = vec![1; shape.num_dims()];
    along[dim] = shape[dim];
    let positions = B::int_arange(0..shape[dim] as i64, &device, settings.int_dtype);
    let positions = B::int_expand(B::int_reshape(positions, Shape::from(along)), shape);
    let elsewhere = B::float_not_equal(x, best, settings.bool_dtype);
    let candidates = B::int_mask_fill(positions, elsewhere, 0.into());
    B::float_gather(dim, dx, B::int_cummax(candidates, dim))
}

/// The tangents of max-pooled elements: `indices` count the positions of a plane of `dx`, which is
/// `[batch, channels, spatial…]`.
pub(crate) fn pooled<B: Backend>(dx: F<B>, indices: IntTensor<B>) -> F<B> {
    let (from, to) = (dx.shape(), indices.shape());
    let plane = |shape: &Shape| {
        let planes = [shape[0], shape[1]];
        Shape::new([planes[0], planes[1], shape.num_elements() / (planes[0] * planes[1])])
    };
    let dx = B::float_reshape(dx, plane(&from));
    let indices = B::int_reshape(indices, plane(&to));
    B::float_reshape(B::float_gather(2, dx, indices), to)
}
