//! Deformable convolution.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{DeformConvOptions, FloatTensor, FloatTensorOps};
use burn::tensor::{Shape, TensorMetadata};

use crate::mode::Mode;
use crate::tensor::{JvpTensor, T, Tangent};

/// `y = D(x, offset, weight, mask) + bias`, linear in `x`, `weight` and `mask`; the offsets move the points where `x` is
/// sampled. Each operand with a tangent gives a term.
pub(super) fn rule<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    offset: JvpTensor<A, M>,
    weight: JvpTensor<A, M>,
    mask: Option<JvpTensor<A, M>>,
    bias: Option<JvpTensor<A, M>>,
    options: DeformConvOptions<2>,
) -> JvpTensor<A, M> {
    let operands = [Some(&x), Some(&offset), Some(&weight), mask.as_ref(), bias.as_ref()];
    if operands.into_iter().flatten().all(|x| x.tangent.is_none()) {
        return JvpTensor::constant(A::deform_conv2d(
            x.primal,
            offset.primal,
            weight.primal,
            mask.map(|mask| mask.primal),
            bias.map(|bias| bias.primal),
            options,
        ));
    }
    let at = Point::<T<A, M>> {
        x: x.value(),
        offset: offset.value(),
        weight: weight.value(),
        mask: mask.as_ref().map(JvpTensor::value),
        options: options.clone(),
    };
    let mut terms: Vec<Tangent<A, M>> = Vec::new();
    if let Some(dx) = x.tangent {
        terms.push(at.convolve(dx, at.weight.clone(), at.mask.clone()));
    }
    if let Some(dweight) = weight.tangent {
        terms.push(at.convolve(at.x.clone(), dweight, at.mask.clone()));
    }
    let (mask, dmask) = split(mask);
    if let Some(dmask) = dmask {
        terms.push(at.convolve(at.x.clone(), at.weight.clone(), Some(dmask)));
    }
    let (bias, dbias) = split(bias);
    if let Some(dbias) = dbias {
        let channels = dbias.shape().num_elements();
        terms.push(T::<A, M>::float_reshape(dbias, Shape::new([1, channels, 1, 1])));
    }
    let y = A::deform_conv2d(x.primal, offset.primal, weight.primal, mask, bias, options);
    if let Some(doffset) = offset.tangent {
        terms.push(at.move_points(doffset, y.shape()));
    }
    let tangent = terms.into_iter().reduce(T::<A, M>::float_add).expect("an operand with a tangent");
    JvpTensor::dual(y, tangent)
}

fn split<A: Backend, M: Mode<A>>(
    x: Option<JvpTensor<A, M>>,
) -> (Option<FloatTensor<A>>, Option<Tangent<A, M>>) {
    match x {
        Some(x) => (Some(x.primal), x.tangent),
        None => (None, None),
    }
}

/// The operands' values on the tangents' backend.
struct Point<B: Backend> {
    x: FloatTensor<B>,
    offset: FloatTensor<B>,
    weight: FloatTensor<B>,
    mask: Option<FloatTensor<B>>,
    options: DeformConvOptions<2>,
}

impl<B: Backend> Point<B> {
    fn convolve(
        &self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        mask: Option<FloatTensor<B>>,
    ) -> FloatTensor<B> {
        B::deform_conv2d(x, self.offset.clone(), weight, mask, None, self.options.clone())
    }

    /// The derivative along the offsets. The backend has only the gradient of a sum over all output channels, so that of
    /// each channel is asked for in turn: exact, at the cost of one backward pass a channel.
    fn move_points(&self, doffset: FloatTensor<B>, output: Shape) -> FloatTensor<B> {
        let device = B::float_device(&self.x);
        let dtype = self.x.dtype().into();
        let [batch, channels, height, width] = output.dims();
        let one_channel = Shape::new([batch, 1, height, width]);
        let columns = (0..channels)
            .map(|channel| {
                let pieces = (0..channels)
                    .map(|other| {
                        let value = if other == channel { 1.0f64 } else { 0.0 };
                        B::float_full(one_channel.clone(), value.into(), &device, dtype)
                    })
                    .collect();
                let grads = B::deform_conv2d_backward(
                    self.x.clone(),
                    self.offset.clone(),
                    self.weight.clone(),
                    self.mask.clone(),
                    None,
                    B::float_cat(pieces, 1),
                    self.options.clone(),
                );
                B::float_sum_dim(B::float_mul(grads.offset_grad, doffset.clone()), 1)
            })
            .collect();
        B::float_cat(columns, 1)
    }
}
