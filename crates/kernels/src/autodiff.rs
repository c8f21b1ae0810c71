//! Kernels on the tape: an operation is one node, which keeps its operands and nothing else.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind, unary},
        },
    },
    tensor::{Shape, TensorMetadata, ops::FloatTensor},
};

use crate::{
    composed,
    kernels::{Activation, Fused, GroupNorm, Kernels},
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

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        if !B::fuses(x.dtype()) {
            return composed::activate::<Self>(x, activation);
        }
        let (node, x) = (x.node.clone(), x.primitive);
        match Activate.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(node) => node.finish((x.clone(), activation), B::activate(x, activation)),
            OpsKind::UnTracked(node) => node.finish(B::activate(x, activation)),
        }
    }

    fn softmax_rows(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !B::fuses(x.dtype()) {
            return composed::softmax::<Self>(x);
        }
        let (node, y) = (x.node.clone(), B::softmax_rows(x.primitive));
        match Softmax.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(node) => node.finish(y.clone(), y),
            OpsKind::UnTracked(node) => node.finish(y),
        }
    }

    fn resample(x: FloatTensor<Self>, matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        if !B::fuses(x.dtype()) {
            return composed::resample::<Self>(x, matrix);
        }
        let (node, x, matrix) = (x.node.clone(), x.primitive, matrix.primitive);
        match Resample.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(node) => node.finish(matrix.clone(), B::resample(x, matrix)),
            OpsKind::UnTracked(node) => node.finish(B::resample(x, matrix)),
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
struct Activate;

impl<B: Fused> Backward<B, 1> for Activate {
    /// The operand.
    type State = (FloatTensor<B>, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, activation) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::activation_product(x, grad, activation));
    }
}

#[derive(Debug)]
struct Softmax;

impl<B: Fused> Backward<B, 1> for Softmax {
    /// The result.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::softmax_product(ops.state, grad));
    }
}

#[derive(Debug)]
struct Resample;

impl<B: Fused> Backward<B, 1> for Resample {
    /// The matrix.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let transposed = B::float_transpose(ops.state);
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::resample(grad, transposed));
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
