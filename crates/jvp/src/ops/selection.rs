//! Tangents of elements that an operation selects.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{IntDType, Shape, TensorMetadata, get_device_settings};

/// The tangent at the element that `arg` finds in the flattened `x`. Shape `[1]`.
pub(super) fn take_flat<B: Backend>(
    x: FloatTensor<B>,
    dx: FloatTensor<B>,
    arg: impl FnOnce(FloatTensor<B>, usize, IntDType) -> IntTensor<B>,
) -> FloatTensor<B> {
    let flat = Shape::new([x.shape().num_elements()]);
    let dtype = get_device_settings::<B>(&B::float_device(&x)).int_dtype;
    let index = arg(B::float_reshape(x, flat.clone()), 0, dtype);
    B::float_gather(0, B::float_reshape(dx, flat), index)
}

/// The tangents of the running extrema `best` of `x` along `dim`: of the last element that equals its running extremum.
pub(super) fn running_extremum<B: Backend>(
    x: FloatTensor<B>,
    best: FloatTensor<B>,
    dx: FloatTensor<B>,
    dim: usize,
) -> FloatTensor<B> {
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
pub(super) fn pooled<B: Backend>(dx: FloatTensor<B>, indices: IntTensor<B>) -> FloatTensor<B> {
    let (from, to) = (dx.shape(), indices.shape());
    let plane = |shape: &Shape| {
        let planes = [shape[0], shape[1]];
        Shape::new([planes[0], planes[1], shape.num_elements() / (planes[0] * planes[1])])
    };
    let dx = B::float_reshape(dx, plane(&from));
    let indices = B::int_reshape(indices, plane(&to));
    B::float_reshape(B::float_gather(2, dx, indices), to)
}
