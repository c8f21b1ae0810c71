//! The field that solvers follow: a flow on a condition, guided or not, at one time for all rows.

use crate::{Backbone, Condition, Flow, Prediction};
use burn::tensor::{Tensor, backend::Backend};

/// Classifier-free guidance at sampling (arXiv 2207.12598): `u_∅ + ω·(u_c − u_∅)` at times in the interval.
///
/// Each guided evaluation is one pass over a doubled batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassifierFree {
    /// Scale; 1 is no guidance.
    pub omega: f64,
    /// Times at which it acts.
    pub interval: [f64; 2],
}

/// A flow on a condition.
#[derive(Debug)]
pub struct Field<'a, B: Backend, N> {
    flow: Flow<'a, N>,
    condition: Condition<B>,
    guidance: Option<ClassifierFree>,
}

impl<'a, B: Backend, N: Backbone<B>> Field<'a, B, N> {
    /// The field of a network whose output is the average velocity.
    pub fn new(net: &'a N, condition: Condition<B>) -> Self {
        Self { flow: Flow { net, prediction: Prediction::Average }, condition, guidance: None }
    }

    /// The same for another meaning of the output.
    pub fn predicting(self, prediction: Prediction) -> Self {
        Self { flow: Flow { prediction, ..self.flow }, ..self }
    }

    /// The same with classifier-free guidance.
    ///
    /// # Panics
    /// At the first evaluation, if the network has no classes or the condition no labels.
    pub fn guided(self, guidance: Option<ClassifierFree>) -> Self {
        Self { guidance, ..self }
    }

    /// The time that stands for pure noise.
    pub(super) fn start(&self) -> f64 {
        self.flow.prediction.start()
    }

    /// `u(z, r, t)`.
    pub fn average(&self, z: Tensor<B, 4>, r: f64, t: f64) -> Tensor<B, 4> {
        let (rows, options) = (z.dims()[0], (&z.device(), z.dtype()));
        let time = |value: f64, rows: usize| Tensor::full([rows], value, options);
        let guidance = self.guidance.filter(|guidance| {
            guidance.omega != 1.0 && (guidance.interval[0]..=guidance.interval[1]).contains(&t)
        });
        let Some(guidance) = guidance else {
            return self.flow.average(z.clone(), time(r, rows), time(t, rows), &self.condition);
        };
        let classes = self.flow.net.classes().expect("guidance needs a class-conditional network");
        let labels = self.condition.labels.clone().expect("guidance needs labels");
        let null = labels.full_like(classes as i64);
        let both = self.flow.average(
            Tensor::cat(vec![z.clone(), z], 0),
            time(r, 2 * rows),
            time(t, 2 * rows),
            &self.condition.twice(Tensor::cat(vec![null, labels], 0)),
        );
        let (null, own) = (both.clone().narrow(0, 0, rows), both.narrow(0, rows, rows));
        null.clone() + (own - null) * guidance.omega
    }

    /// `v(z, t) = u(z, t, t)`.
    pub fn velocity(&self, z: Tensor<B, 4>, t: f64) -> Tensor<B, 4> {
        self.average(z, t, t)
    }
}
