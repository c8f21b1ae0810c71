//! Kernels on the tape: an operation is one node, which keeps its operands and nothing else.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
    },
    tensor::{Shape, TensorMetadata, ops::FloatTensor},
};

use crate::{
    composed,
    kernels::{Fused, GroupNorm, Kernels},
};

impl<B: Fused, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn group_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: GroupNorm,
    ) -> FloatTensor<Self> {
        if !B::fuses(x.dtype()) {
            return composed::group_norm::<Self>(x, weight, bias, spec);
        }
        let nodes = [x.node.clone(), weight.node.clone(), bias.node.clone()];
        let (x, weight, bias) = (x.primitive, weight.primitive, bias.primitive);
        match Normalise.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(node) => {
                let y = B::group_norm(x.clone(), weight.clone(), bias.clone(), spec);
                node.finish(Normalised { x, weight, bias, spec }, y)
            }
            OpsKind::UnTracked(node) => node.finish(B::group_norm(x, weight, bias, spec)),
        }
    }

    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        if !B::fuses(x.dtype()) {
            return composed::convolve::<Self>(x, weight, bias);
        }
        // A node has so many parents; without a bias, the third is a constant.
        let biased = bias.is_some();
        let bias = bias.unwrap_or_else(|| <FloatTensor<Self>>::new(weight.primitive.clone()));
        let nodes = [x.node.clone(), weight.node.clone(), bias.node.clone()];
        let (x, weight, bias) = (x.primitive, weight.primitive, biased.then_some(bias.primitive));
        let rows = bias.as_ref().map_or(1, |bias| bias.shape()[0]);
        match Convolve.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(node) => {
                let y = B::convolve(x.clone(), weight.clone(), bias);
                node.finish(Convolved { x, weight, rows }, y)
            }
            OpsKind::UnTracked(node) => node.finish(B::convolve(x, weight, bias)),
        }
    }
}

#[derive(Debug)]
struct Normalise;

#[derive(Clone, Debug)]
struct Normalised<T> {
    x: T,
    weight: T,
    bias: T,
    spec: GroupNorm,
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
struct Convolve;

#[derive(Clone, Debug)]
struct Convolved<T> {
    x: T,
    weight: T,
    /// Rows of the bias.
    rows: usize,
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
