//! Nodes of the operations of transformers.

use burn::{
    backend::autodiff::{
        checkpoint::base::Checkpointer,
        grads::Gradients,
        ops::{Backward, Ops, unary},
    },
    tensor::ops::FloatTensor,
};

use crate::kernels::Fused;
use crate::operands::ModulationGradients;

/// A linear layer without an activation.
#[derive(Debug)]
pub(super) struct Linear;

#[derive(Clone, Debug)]
pub(super) struct Rows<T> {
    pub(super) x: T,
    pub(super) weight: T,
}

impl<B: Fused> Backward<B, 3> for Linear {
    type State = Rows<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let Rows { x, weight } = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        if let Some(parent) = of_bias {
            grads.register::<B>(parent.id, B::affine_bias_backward(grad.clone()));
        }
        if let Some(parent) = of_weight {
            grads.register::<B>(parent.id, B::float_matmul(B::float_transpose(x), grad.clone()));
        }
        if let Some(parent) = of_x {
            grads.register::<B>(parent.id, B::affine_x_backward(weight, grad));
        }
    }
}

#[derive(Debug)]
pub(super) struct Modulate;

#[derive(Clone, Debug)]
pub(super) struct Modulated<T> {
    pub(super) x: T,
    pub(super) scale: T,
    pub(super) epsilon: f64,
}

impl<B: Fused> Backward<B, 3> for Modulate {
    type State = Modulated<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let Modulated { x, scale, epsilon } = ops.state;
        let ModulationGradients { x, shift, scale } = B::modulated_norm_backward(x, scale, grad, epsilon);
        for (parent, value) in ops.parents.into_iter().zip([x, shift, scale]) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, value);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Gate;

#[derive(Clone, Debug)]
pub(super) struct Gated<T> {
    pub(super) gate: T,
    pub(super) y: T,
}

impl<B: Fused> Backward<B, 3> for Gate {
    type State = Gated<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let Gated { gate, y } = ops.state;
        let [of_x, of_gate, of_y] = ops.parents;
        if let Some(parent) = of_gate {
            grads.register::<B>(parent.id, B::gate_backward(y, grad.clone()));
        }
        if let Some(parent) = of_y {
            grads.register::<B>(parent.id, B::gated_sum(None, gate, grad.clone()));
        }
        if let Some(parent) = of_x {
            grads.register::<B>(parent.id, grad);
        }
    }
}

#[derive(Debug)]
pub(super) struct Attend;

impl<B: Fused> Backward<B, 1> for Attend {
    /// Queries, keys and values, and the number of heads.
    type State = (FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (qkv, heads) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::self_attention_backward(qkv, grad, heads));
    }
}
