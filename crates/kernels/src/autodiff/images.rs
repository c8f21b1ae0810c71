//! Nodes of operations on images, and of those on single numbers and rows.

use burn::{
    backend::autodiff::{
        checkpoint::base::Checkpointer,
        grads::Gradients,
        ops::{Backward, Ops, unary},
    },
    tensor::{Shape, TensorMetadata, ops::FloatTensor},
};

use crate::kernels::Fused;
use crate::operands::{Activation, GroupNorm};

#[derive(Debug)]
pub(super) struct Normalise;

#[derive(Clone, Debug)]
pub(super) struct Normalised<T> {
    pub(super) x: T,
    pub(super) weight: T,
    pub(super) bias: T,
    pub(super) spec: GroupNorm,
}

impl<B: Fused> Backward<B, 3> for Normalise {
    type State = Normalised<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let Normalised { x, weight, bias, spec } = ops.state;
        let gradients = B::group_norm_backward(x, weight, bias, grad, spec);
        let values = [gradients.x, gradients.weight, gradients.bias];
        for (parent, value) in ops.parents.into_iter().zip(values) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, value);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Activate;

impl<B: Fused> Backward<B, 1> for Activate {
    /// The operand.
    type State = (FloatTensor<B>, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, activation) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::activation_product(x, grad, activation));
    }
}

#[derive(Debug)]
pub(super) struct Softmax;

impl<B: Fused> Backward<B, 1> for Softmax {
    /// The result.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::softmax_product(ops.state, grad));
    }
}

#[derive(Debug)]
pub(super) struct Resample;

impl<B: Fused> Backward<B, 1> for Resample {
    /// The matrix.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let transposed = B::float_transpose(ops.state);
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::resample(grad, transposed));
    }
}

#[derive(Debug)]
pub(super) struct Convolve;

#[derive(Clone, Debug)]
pub(super) struct Convolved<T> {
    pub(super) x: T,
    pub(super) weight: T,
    /// Rows of the bias.
    pub(super) rows: usize,
}

impl<B: Fused> Backward<B, 3> for Convolve {
    type State = Convolved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let Convolved { x, weight, rows } = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        if let Some(parent) = of_bias {
            grads.register::<B>(parent.id, bias_gradient::<B>(grad.clone(), rows));
        }
        if let Some(parent) = of_weight {
            let k = weight.shape()[2];
            grads.register::<B>(parent.id, B::convolve_weight_backward(x, grad.clone(), k));
        }
        if let Some(parent) = of_x {
            grads.register::<B>(parent.id, B::convolve_x_backward(weight, grad));
        }
    }
}

/// The gradient summed over pixels, and over the batch unless each row has a bias; `[rows, outputs]`.
fn bias_gradient<B: Fused>(grad: FloatTensor<B>, rows: usize) -> FloatTensor<B> {
    let [batch, outputs, height, width] = grad.shape().dims();
    let pixels = B::float_reshape(grad, Shape::new([batch * outputs, height * width]));
    let sums = B::float_reshape(B::float_sum_dim(pixels, 1), Shape::new([batch, outputs]));
    if rows == 1 { B::float_sum_dim(sums, 0) } else { sums }
}
