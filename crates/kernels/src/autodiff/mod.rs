//! Kernels on the tape: an operation is one node, which keeps its operands and nothing else.

mod images;
mod tokens;

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            checkpoint::strategy::CheckpointStrategy,
            ops::{Backward, OpsKind},
        },
    },
    tensor::{TensorMetadata, ops::FloatTensor},
};

use images::{Activate, Convolve, Convolved, Normalise, Normalised, Resample, Softmax};
use tokens::{Attend, Gate, Gated, Linear, Modulate, Modulated, Rows};

use crate::{
    composed,
    kernels::{Fused, Kernels},
    operands::{Activation, GroupNorm},
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

    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        if !B::fuses(x.dtype()) {
            return composed::linear::<Self>(x, weight, bias, activation);
        }
        // As for a convolution, a bias that is not there is a constant.
        let biased = bias.is_some();
        let bias = bias.unwrap_or_else(|| <FloatTensor<Self>>::new(weight.primitive.clone()));
        let nodes = [x.node.clone(), weight.node.clone(), bias.node.clone()];
        let (x, weight, bias) = (x.primitive, weight.primitive, biased.then_some(bias.primitive));
        match Linear.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(node) => {
                let y = B::affine(x.clone(), weight.clone(), bias, Activation::None);
                let y = node.finish(Rows { x, weight }, y);
                // Its gradient needs its operand, so that is made too.
                if activation == Activation::None { y } else { Self::activate(y, activation) }
            }
            OpsKind::UnTracked(node) => node.finish(B::affine(x, weight, bias, activation)),
        }
    }

    fn modulated_norm(
        x: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        if !B::fuses(x.dtype()) {
            return composed::modulated_norm::<Self>(x, shift, scale, epsilon);
        }
        let nodes = [x.node.clone(), shift.node.clone(), scale.node.clone()];
        let (x, shift, scale) = (x.primitive, shift.primitive, scale.primitive);
        match Modulate.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(node) => {
                let y = B::modulated_norm(x.clone(), shift, scale.clone(), epsilon);
                node.finish(Modulated { x, scale, epsilon }, y)
            }
            OpsKind::UnTracked(node) => node.finish(B::modulated_norm(x, shift, scale, epsilon)),
        }
    }

    fn gated_sum(
        x: Option<FloatTensor<Self>>,
        gate: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        if !B::fuses(y.dtype()) {
            return composed::gated_sum::<Self>(x, gate, y);
        }
        let present = x.is_some();
        let x = x.unwrap_or_else(|| <FloatTensor<Self>>::new(gate.primitive.clone()));
        let nodes = [x.node.clone(), gate.node.clone(), y.node.clone()];
        let (x, gate, y) = (present.then_some(x.primitive), gate.primitive, y.primitive);
        match Gate.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(node) => {
                let sum = B::gated_sum(x, gate.clone(), y.clone());
                node.finish(Gated { gate, y }, sum)
            }
            OpsKind::UnTracked(node) => node.finish(B::gated_sum(x, gate, y)),
        }
    }

    fn self_attention(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        if !B::fuses(qkv.dtype()) {
            return composed::attention::<Self>(qkv, heads);
        }
        let (node, qkv) = (qkv.node.clone(), qkv.primitive);
        match Attend.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(node) => {
                let y = B::self_attention(qkv.clone(), heads);
                node.finish((qkv, heads), y)
            }
            OpsKind::UnTracked(node) => node.finish(B::self_attention(qkv, heads)),
        }
    }
}
