//! Kernels in forward mode.

use burn::tensor::{
    Shape, TensorMetadata,
    backend::Backend,
    ops::{FloatTensor, FloatTensorOps},
};
use meanflow_jvp::{Jvp, JvpTensor, Mode};

use crate::{
    composed,
    kernels::{Activation, GroupNorm, Kernels},
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

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        let (x, dx) = x.into_parts();
        let dy = dx.map(|dx| M::Tangent::activation_product(M::project(&x), dx, activation));
        JvpTensor::new(A::activate(x, activation), dy)
    }

    fn softmax_rows(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, dx) = x.into_parts();
        let y = A::softmax_rows(x);
        let dy = dx.map(|dx| M::Tangent::softmax_product(M::project(&y), dx));
        JvpTensor::new(y, dy)
    }

    fn resample(x: FloatTensor<Self>, matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, dx), (matrix, _)) = (x.into_parts(), matrix.into_parts());
        let dy = dx.map(|dx| M::Tangent::resample(dx, M::project(&matrix)));
        JvpTensor::new(A::resample(x, matrix), dy)
    }
}

/// A number a row and channel, or a channel, at every pixel.
fn of_pixels<B: Backend>(bias: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    let [rows, outputs] = bias.shape().dims();
    B::float_expand(B::float_reshape(bias, Shape::new([rows, outputs, 1, 1])), shape)
}
