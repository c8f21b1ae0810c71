//! Kernels in forward mode.

use burn::tensor::{
    Shape, TensorMetadata,
    backend::Backend,
    ops::{FloatTensor, FloatTensorOps},
};
use meanflow_jvp::{Jvp, JvpTensor, Mode};

use crate::{
    composed,
    kernels::Kernels,
    operands::{Activation, GroupNorm, ModulationDirections},
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

    /// Linear in `x` and in the weight: `dy = dx·weight + dbias + x·dweight`.
    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let none = Activation::None;
        let still =
            !x.has_tangent() && !weight.has_tangent() && !bias.as_ref().is_some_and(JvpTensor::has_tangent);
        if activation != none && !still {
            return Self::activate(Self::affine(x, weight, bias, none), activation);
        }
        let ((x, dx), (weight, dweight)) = (x.into_parts(), weight.into_parts());
        let (bias, dbias) = bias.map(JvpTensor::into_parts).unzip();
        let mut dbias = dbias.flatten();
        let from_x = dx.map(|dx| M::Tangent::affine(dx, M::project(&weight), dbias.take(), none));
        let from_weight =
            dweight.map(|dweight| M::Tangent::affine(M::project(&x), dweight, dbias.take(), none));
        let y = A::affine(x, weight, bias, activation);
        let dy = match (from_x, from_weight) {
            (Some(a), Some(b)) => Some(M::Tangent::float_add(a, b)),
            (a, b) => a.or(b).or(dbias.map(|dbias| of_rows::<M::Tangent>(dbias, y.shape()))),
        };
        JvpTensor::new(y, dy)
    }

    fn modulated_norm(
        x: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let ((x, dx), (shift, dshift), (scale, dscale)) =
            (x.into_parts(), shift.into_parts(), scale.into_parts());
        let moves = dx.is_some() || dshift.is_some() || dscale.is_some();
        let dy = moves.then(|| {
            let along = ModulationDirections { x: dx, shift: dshift, scale: dscale };
            M::Tangent::modulated_norm_tangent(M::project(&x), M::project(&scale), along, epsilon)
        });
        JvpTensor::new(A::modulated_norm(x, shift, scale, epsilon), dy)
    }

    /// `d(x + gate·y) = dx + dgate·y + gate·dy`.
    fn gated_sum(
        x: Option<FloatTensor<Self>>,
        gate: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (x, dx) = x.map(JvpTensor::into_parts).unzip();
        let ((gate, dgate), (y, dy)) = (gate.into_parts(), y.into_parts());
        let mut dsum = dx.flatten();
        if let Some(dgate) = dgate {
            dsum = Some(M::Tangent::gated_sum(dsum, dgate, M::project(&y)));
        }
        if let Some(dy) = dy {
            dsum = Some(M::Tangent::gated_sum(dsum, M::project(&gate), dy));
        }
        JvpTensor::new(A::gated_sum(x, gate, y), dsum)
    }

    fn self_attention(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        let (qkv, dqkv) = qkv.into_parts();
        let dy = dqkv.map(|dqkv| M::Tangent::self_attention_tangent(M::project(&qkv), dqkv, heads));
        JvpTensor::new(A::self_attention(qkv, heads), dy)
    }
}

/// A number a row and channel, or a channel, at every pixel.
fn of_pixels<B: Backend>(bias: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    let [rows, outputs] = bias.shape().dims();
    B::float_expand(B::float_reshape(bias, Shape::new([rows, outputs, 1, 1])), shape)
}

/// A number a column, in every row.
fn of_rows<B: Backend>(bias: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    let columns = bias.shape()[0];
    B::float_expand(B::float_reshape(bias, Shape::new([1, columns])), shape)
}
