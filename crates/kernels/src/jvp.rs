//! Kernels in forward mode.

use burn::tensor::{
    Shape, TensorMetadata,
    backend::Backend,
    ops::{FloatTensor, FloatTensorOps},
};
use meanflow_jvp::{Jvp, JvpTensor, Mode};

use crate::{
    composed,
    kernels::{GroupNorm, Kernels},
};

impl<A: Kernels, M: Mode<A, Tangent: Kernels>> Kernels for Jvp<A, M> {
    fn group_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: GroupNorm,
    ) -> FloatTensor<Self> {
        if [&weight, &bias].into_iter().any(JvpTensor::has_tangent) {
            return composed::group_norm::<Self>(x, weight, bias, spec);
        }
        let ((x, dx), (weight, _), (bias, _)) = (x.into_parts(), weight.into_parts(), bias.into_parts());
        let dy = dx.map(|dx| {
            M::Tangent::group_norm_tangent(M::project(&x), dx, M::project(&weight), M::project(&bias), spec)
        });
        JvpTensor::new(A::group_norm(x, weight, bias, spec), dy)
    }

    /// Linear in `x` and in the weight: `dy = dx∗weight + dbias + x∗dweight`.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let ((x, dx), (weight, dweight)) = (x.into_parts(), weight.into_parts());
        let (bias, dbias) = bias.map(JvpTensor::into_parts).unzip();
        let mut dbias = dbias.flatten();
        let from_x = dx.map(|dx| M::Tangent::convolve(dx, M::project(&weight), dbias.take()));
        let from_weight = dweight.map(|dweight| M::Tangent::convolve(M::project(&x), dweight, dbias.take()));
        let y = A::convolve(x, weight, bias);
        let dy = match (from_x, from_weight) {
            (Some(a), Some(b)) => Some(M::Tangent::float_add(a, b)),
            (a, b) => a.or(b).or(dbias.map(|dbias| of_pixels::<M::Tangent>(dbias, y.shape()))),
        };
        JvpTensor::new(y, dy)
    }
}

/// A number a row and channel, or a channel, at every pixel.
fn of_pixels<B: Backend>(bias: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    let [rows, outputs] = bias.shape().dims();
    B::float_expand(B::float_reshape(bias, Shape::new([rows, outputs, 1, 1])), shape)
}
