//! What the tests share: the backends, tensors from host numbers, comparisons and a batch.

use std::sync::Once;

use burn::{
    backend::{Autodiff, Flex},
    module::AutodiffModule,
    tensor::{
        DType, Int, Tensor, TensorData,
        backend::{Backend, BackendTypes},
        set_default_dtypes,
    },
};
use meanflow_core::precision::Precision;
use meanflow_core::{
    Backbone, Condition, Streams,
    objective::{At, Batch, Derivative, Direction, Draws, MeanFlowConfig, Nets, Objective, ObjectiveConfig},
    solver::Fresh,
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use meanflow_jvp::{Jvp, check};
use proptest::test_runner::Config;

/// The backend that trains.
pub type B = Jvp<Autodiff<Flex>>;

pub type Device = <B as BackendTypes>::Device;

/// Few cases, and no files of failures: the tests run in any folder.
pub fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// The device, with f64 as the default type of this process's tensors.
pub fn device() -> Device {
    static F64: Once = Once::new();
    let device = Default::default();
    F64.call_once(|| set_default_dtypes::<Flex>(&device, DType::F64, DType::I64).expect("no tensor yet"));
    device
}

pub fn tensor<B: Backend<Device = Device>, const D: usize>(
    values: &[f64],
    shape: [usize; D],
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &device())
}

pub fn ints<B: Backend<Device = Device>>(values: &[i64]) -> Tensor<B, 1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &device())
}

/// Uniform numbers in `[−1, 1]`.
pub fn uniform(count: usize, seed: u64) -> Vec<f64> {
    check::Draws::new(seed).take(count)
}

/// The numbers of a tensor.
pub fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

pub fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The largest difference, relative to the largest of `expected`, is at most `tolerance`.
#[track_caller]
pub fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}: numbers");
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let error = (a - b).abs() / scale;
        assert!(error <= tolerance, "{name}[{i}]: {a:e}, expected {b:e}; relative error {error:e}");
    }
}

/// `u(z, r, t | condition)` as a function.
pub type Function<'a> =
    dyn Fn(Tensor<Flex, 4>, Tensor<Flex, 1>, Tensor<Flex, 1>, &Condition<Flex>) -> Tensor<Flex, 4> + 'a;

/// A field given by a function, on the plain backend.
pub struct Field<'a> {
    pub function: Box<Function<'a>>,
    pub classes: Option<usize>,
}

impl Backbone<Flex> for Field<'_> {
    fn forward(
        &self,
        z: Tensor<Flex, 4>,
        r: Tensor<Flex, 1>,
        t: Tensor<Flex, 1>,
        condition: &Condition<Flex>,
    ) -> Tensor<Flex, 4> {
        (self.function)(z, r, t, condition)
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }
}

/// An unconditional field.
pub fn field<'a>(
    f: impl Fn(Tensor<Flex, 4>, Tensor<Flex, 1>, Tensor<Flex, 1>) -> Tensor<Flex, 4> + 'a,
) -> Field<'a> {
    Field { function: Box::new(move |z, r, t, _| f(z, r, t)), classes: None }
}

/// Random data of `shape` with labels that go round `classes`.
pub fn batch(shape: [usize; 4], classes: usize, seed: u64) -> Batch<Flex> {
    let labels: Vec<i64> = (0..shape[0]).map(|row| (row % classes) as i64).collect();
    Batch {
        x: tensor(&uniform(shape.iter().product(), seed), shape),
        labels: Some(ints(&labels)),
        augment: None,
        precision: Precision::Full,
    }
}

pub const LAW: TimeLaw = TimeLaw::LogitNormal { mean: -0.4, std: 1.0 };

/// MeanFlow with the published ImageNet times and weight, without dropout and guidance.
pub fn meanflow(share: f64) -> MeanFlowConfig {
    MeanFlowConfig {
        time: LAW,
        time_r: None,
        pairing: Pairing::V0,
        share,
        split: Split::Prefix,
        weight: Weight { p: 1.0, eps: 0.01 },
        label_dropout: 0.0,
        guidance: None,
        derivative: Derivative::Jvp,
        tangent: Direction::FLOW,
    }
}

/// What an objective returned for a batch, by the names of its measures.
pub struct Step {
    pub loss: Tensor<B, 1>,
    pub squared: Tensor<Flex, 1>,
    pub velocity: Tensor<Flex, 1>,
    pub dudt: Option<Tensor<Flex, 1>>,
    pub head: Option<Tensor<Flex, 1>>,
}

/// The loss of `net`, which has no teachers.
pub fn loss<O, N>(objective: &O, net: &N, batch: Batch<Flex>, draws: &O::Draws) -> Step
where
    O: Objective,
    N: Backbone<B> + AutodiffModule<B, InnerModule: Backbone<Flex>>,
{
    let nets = Nets { online: net, frozen: &net.valid(), teachers: &[] };
    let loss = objective.loss::<B, _, _>(&nets, batch, draws);
    Step {
        squared: loss.measure("raw").expect("every objective measures its error"),
        velocity: loss.measure("v").expect("and that of the velocity"),
        dudt: loss.measure("dudt"),
        head: loss.measure("head"),
        loss: loss.loss,
    }
}

/// The draws of a step of a long run.
pub fn draw<O: Objective>(objective: &O, streams: &Streams, step: u64, shape: [usize; 4]) -> O::Draws {
    objective.draw(&At::new(streams, step, 1_000_000), shape)
}

/// [`draw`] for flow matching or MeanFlow.
pub fn draw_any(objective: &ObjectiveConfig, streams: &Streams, step: u64, shape: [usize; 4]) -> Draws {
    match objective {
        ObjectiveConfig::FlowMatching(objective) => draw(objective, streams, step, shape),
        ObjectiveConfig::MeanFlow(objective) => draw(objective, streams, step, shape),
        other => unreachable!("{other:?}"),
    }
}

/// [`loss`] of flow matching or MeanFlow.
pub fn loss_any<N>(objective: &ObjectiveConfig, net: &N, batch: Batch<Flex>, draws: &Draws) -> Step
where
    N: Backbone<B> + AutodiffModule<B, InnerModule: Backbone<Flex>>,
{
    match objective {
        ObjectiveConfig::FlowMatching(objective) => loss(objective, net, batch, draws),
        ObjectiveConfig::MeanFlow(objective) => loss(objective, net, batch, draws),
        other => unreachable!("{other:?}"),
    }
}

/// Noise for stochastic solvers.
pub const FRESH: Fresh<'static> = Fresh { streams: &Streams::new(77), row: 0 };
