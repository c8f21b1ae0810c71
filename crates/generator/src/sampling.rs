//! How samples are drawn from a network: the same for a run's own evaluation, `sample` and `eval`.

use crate::side_by_side::{self, CHUNK};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use meanflow_core::{
    Backbone, Condition, Guidance, Prediction, Solver, Streams,
    solver::{Adaptive, ClassifierFree, DormandPrince, Field, Fresh, Grid, Spacing},
};
use meanflow_nets::{Net, Networks};

/// Guidance that samples are drawn with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleGuidance {
    /// Scale; 1 is no guidance.
    pub omega: f64,
    /// Times at which it acts.
    pub interval: [f64; 2],
}

impl SampleGuidance {
    /// No guidance.
    pub const NONE: Self = Self { omega: 1.0, interval: [0.0, 1.0] };
}

/// The stream of the fixed noise that evaluations start from.
pub const NOISE: &str = "eval-noise";

/// How samples are drawn from a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// The solver.
    pub solver: Solver,
    /// Evaluations of the field a sample.
    pub nfe: usize,
    /// Where the field is evaluated.
    pub times: Spacing,
    /// In place of all of these, steps of its own choice.
    pub adaptive: Option<DormandPrince>,
    /// What the network's output means.
    pub prediction: Prediction,
    /// An input of a network that takes it, classifier-free otherwise.
    pub guidance: Option<SampleGuidance>,
}

/// How samples came to be.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// Evaluations of the field a sample, at most.
    pub evaluations: usize,
    /// Whether an adaptive solver met its tolerance.
    pub met: bool,
}

impl Sampling {
    /// The field on the condition of so many `rows`.
    pub fn field<'a, B: Backend, N: Networks>(
        &self,
        net: &'a Net<B, N>,
        rows: usize,
        labels: Option<Tensor<B, 1, Int>>,
        device: &B::Device,
    ) -> Field<'a, B, Net<B, N>> {
        let free = self.guidance.filter(|_| !Backbone::<B>::guided(net));
        let free = free.map(|SampleGuidance { omega, interval }| ClassifierFree { omega, interval });
        let condition = self.condition(net, rows, labels, device);
        Field::new(net, condition).predicting(self.prediction).guided(free)
    }

    /// What these rows are conditioned on.
    pub fn condition<B: Backend, N: Networks>(
        &self,
        net: &Net<B, N>,
        rows: usize,
        labels: Option<Tensor<B, 1, Int>>,
        device: &B::Device,
    ) -> Condition<B> {
        let input = Backbone::<B>::guided(net);
        Condition {
            labels,
            guidance: self
                .guidance
                .filter(|_| input)
                .map(|SampleGuidance { omega, interval }| Guidance::full(rows, omega, interval, device)),
            ..Condition::none()
        }
    }

    /// The time grid of these evaluations.
    pub fn grid(&self) -> Grid {
        self.times.grid(self.nfe / self.solver.evaluations_per_step())
    }

    /// Hands `take` the samples that `rows` rows of `noise` flow to, some rows after the other, in order: neither noise nor
    /// samples are in memory as a whole. `streams` gives what a stochastic solver draws.
    ///
    /// # Errors
    /// What `take` says.
    #[allow(clippy::too_many_arguments)] // what a sample depends on, each named once
    pub fn draw<B: Backend, E, N: Networks>(
        &self,
        net: &Net<B, N>,
        streams: &Streams,
        mut noise: impl Iterator<Item = f32>,
        rows: usize,
        shape: [usize; 3],
        labels: Option<&[usize]>,
        device: &B::Device,
        mut take: impl FnMut(Vec<f32>) -> Result<(), E>,
    ) -> Result<Drawn, E> {
        let grid = self.grid();
        let [channels, height, width] = shape;
        let dimension = channels * height * width;
        let chunk = |(net, start, noise): (Net<B, N>, usize, Vec<f32>)| {
            let rows = noise.len() / dimension;
            let z = Tensor::from_data(TensorData::new(noise, [rows, channels, height, width]), device);
            let labels = labels.map(|labels| label_tensor(&labels[start..start + rows], device));
            let field = self.field(&net, rows, labels, device);
            let Adaptive { samples, evaluations, met } = match self.adaptive {
                Some(adaptive) => adaptive.sample(&field, z),
                None => {
                    let samples = self.solver.sample(&field, z, &grid, Fresh { streams, row: start });
                    Adaptive { samples, evaluations: self.nfe, met: true }
                }
            };
            (samples.into_data().iter::<f32>().collect::<Vec<_>>(), Drawn { evaluations, met })
        };
        let mut all = Drawn { evaluations: 0, met: true };
        let starts: Vec<usize> = (0..rows).step_by(CHUNK).collect();
        for group in starts.chunks(side_by_side::chunks::<B>(device)) {
            let mut item = |&start: &usize| {
                let count = CHUNK.min(rows - start) * dimension;
                (net.clone(), start, noise.by_ref().take(count).collect())
            };
            let items = group.iter().map(&mut item).collect();
            for (samples, drawn) in side_by_side::map::<B, _, _>(device, items, chunk) {
                let evaluations = all.evaluations.max(drawn.evaluations);
                all = Drawn { evaluations, met: all.met && drawn.met };
                take(samples)?;
            }
        }
        Ok(all)
    }
}

/// Classes as a tensor, `[rows]`.
pub fn label_tensor<B: Backend>(labels: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let values: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    Tensor::from_data(TensorData::new(values, [labels.len()]), device)
}
