//! The network of a reference file whose time runs from noise to data.

use super::reference::{Reference, ReferenceError, Stub};
use crate::{Backbone, Clock, Condition};
use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use core::f64::consts::LN_2;

/// `u(z, r, t) = −φ(z, a, b)` with `a = 1 − t`, and `b = 1 − r` or a step's number.
#[derive(Module, Debug)]
pub(super) struct Reversed<B: Backend> {
    pub(super) stub: Stub<B>,
    /// `b = log₂` of the steps of length `t − r` in all, at most this, which also stands for no length at all.
    #[module(skip)]
    levels: Option<usize>,
}

impl<B: super::TrainBackend> Reversed<B> {
    /// The stub with the weights `<prefix>.W1`, ….
    pub(super) fn new(
        reference: &Reference,
        prefix: &str,
        levels: Option<usize>,
        device: &B::Device,
    ) -> Result<Self, ReferenceError> {
        Ok(Self { stub: Stub::new(reference, prefix, Clock::BothTimes, device)?, levels })
    }
}

impl<B: Backend> Backbone<B> for Reversed<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let end = match self.levels {
            None => -r + 1.0,
            Some(most) => {
                let h = (t.clone() - r).clamp_min(0.5f64.powi(most as i32));
                (h.log() * (-1.0 / LN_2)).round()
            }
        };
        self.stub.forward(z, end, -t + 1.0, condition).neg()
    }

    fn classes(&self) -> Option<usize> {
        <Stub<B> as Backbone<B>>::classes(&self.stub)
    }
}
