//! Training objectives: one file each, listed in [`ObjectiveConfig`].

mod draws;
mod flow_matching;
mod guidance;
mod imf;
mod meanflow;

pub use draws::{Draws, GuidanceDraws};
pub use flow_matching::FlowMatchingConfig;
pub use guidance::GuidanceConfig;
pub use imf::{ImfConfig, ScaleLaw, Velocities};
pub use meanflow::MeanFlowConfig;

use crate::{Backbone, Condition, Streams, precision::Precision};
use burn::{
    module::AutodiffModule,
    tensor::{
        Int, Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_jvp::ForwardMode;

/// A backend to train on: reverse mode with forward mode on top, tangents off the tape (`Jvp<Autodiff<B>>`).
pub trait TrainBackend:
    AutodiffBackend + ForwardMode<Tangent = <Self as AutodiffBackend>::InnerBackend>
{
}

impl<B> TrainBackend for B where
    B: AutodiffBackend + ForwardMode<Tangent = <B as AutodiffBackend>::InnerBackend>
{
}

/// A network that can be trained: a [`Backbone`] on `B`, and without the tape also one on the inner backend.
pub trait TrainBackbone<B: TrainBackend>:
    Backbone<B> + AutodiffModule<B, InnerModule: Backbone<B::InnerBackend>>
{
}

impl<B: TrainBackend, N> TrainBackbone<B> for N where
    N: Backbone<B> + AutodiffModule<B, InnerModule: Backbone<B::InnerBackend>>
{
}

/// A batch of data on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// Samples in [−1, 1], `[batch, channels, height, width]`.
    pub x: Tensor<B, 4>,
    /// Classes, `[batch]`.
    pub labels: Option<Tensor<B, 1, Int>>,
    /// How each sample was augmented, `[batch, numbers]`; see [`Condition::augment`].
    pub augment: Option<Tensor<B, 2>>,
    /// The numbers in which rows without a derivative are computed.
    pub precision: Precision,
}

/// What an objective returns for one batch; rows with `r = t` first.
#[derive(Debug)]
pub struct StepLoss<B: TrainBackend> {
    /// What is minimised, `[1]`.
    pub loss: Tensor<B, 1>,
    /// `‖u − u_tgt‖²` of each row (for iMF the same number, `‖V − v_g‖²`), `[batch]`.
    pub squared: Tensor<B::InnerBackend, 1>,
    /// `‖u − (e − x)‖²` of each row, `[batch]`.
    pub velocity: Tensor<B::InnerBackend, 1>,
    /// `‖du/dt‖²` of each row with `r ≠ t`; `None` if there is none.
    pub dudt: Option<Tensor<B::InnerBackend, 1>>,
    /// Squared error of the auxiliary head of each row, `[batch]`; `None` if none is trained.
    pub head: Option<Tensor<B::InnerBackend, 1>>,
}

/// The registry of objectives.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectiveConfig {
    /// Conditional flow matching.
    FlowMatching(FlowMatchingConfig),
    /// MeanFlow.
    MeanFlow(MeanFlowConfig),
    /// Improved MeanFlow.
    Imf(ImfConfig),
}

impl ObjectiveConfig {
    /// Name and one-line description of every objective, as an experiment file spells it.
    pub const NAMES: [(&str, &str); 3] = [
        ("flow-matching", "regress the velocity v = e − x (arXiv 2210.02747)"),
        ("meanflow", "regress the average velocity through the MeanFlow identity (arXiv 2505.13447)"),
        (
            "imf",
            "regress velocities by the average velocity and its derivative, guidance as an input (arXiv 2512.02012)",
        ),
    ];

    /// The name in [`Self::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            ObjectiveConfig::FlowMatching(_) => Self::NAMES[0].0,
            ObjectiveConfig::MeanFlow(_) => Self::NAMES[1].0,
            ObjectiveConfig::Imf(_) => Self::NAMES[2].0,
        }
    }

    /// Whether the network learns the average velocity, which the solver `meanflow` steps by.
    pub fn has_average_velocity(&self) -> bool {
        match self {
            ObjectiveConfig::FlowMatching(_) => false,
            ObjectiveConfig::Imf(_) | ObjectiveConfig::MeanFlow(_) => true,
        }
    }

    /// All random numbers of the objective at `step` for samples of `shape`.
    pub fn draw(&self, streams: &Streams, step: u64, shape: [usize; 4]) -> Draws {
        match self {
            ObjectiveConfig::FlowMatching(objective) => objective.draw(streams, step, shape),
            ObjectiveConfig::MeanFlow(objective) => objective.draw(streams, step, shape),
            ObjectiveConfig::Imf(objective) => objective.draw(streams, step, shape),
        }
    }

    /// The loss of `net` on `batch` with the random numbers `draws`.
    pub fn loss<B: TrainBackend, N: TrainBackbone<B>>(
        &self,
        net: &N,
        batch: Batch<B::InnerBackend>,
        draws: &Draws,
    ) -> StepLoss<B> {
        match self {
            ObjectiveConfig::FlowMatching(objective) => objective.loss(net, batch, draws),
            ObjectiveConfig::MeanFlow(objective) => objective.loss(net, batch, draws),
            ObjectiveConfig::Imf(objective) => objective.loss(net, batch, draws),
        }
    }
}

/// The condition that a network of `classes` is evaluated on, without gradient: labels and augmentation, no dropout.
fn condition<B: Backend>(batch: &Batch<B>, classes: Option<usize>) -> Condition<B> {
    Condition {
        labels: classes.and(batch.labels.clone()),
        augment: batch.augment.clone(),
        ..Condition::none()
    }
}

/// The condition that a network of `classes` is trained on: the first labels become the null class, and dropout acts.
fn trained<B: Backend>(condition: Condition<B>, classes: Option<usize>, draws: &Draws) -> Condition<B> {
    let labels = match (condition.labels, classes) {
        (Some(labels), Some(classes)) => Some(without_first(labels, classes, draws.dropped)),
        _ => None,
    };
    Condition { labels, dropout: draws.dropout, ..condition }
}

/// `labels` with the null class in place of the first `dropped`.
fn without_first<B: Backend>(labels: Tensor<B, 1, Int>, classes: usize, dropped: usize) -> Tensor<B, 1, Int> {
    if dropped == 0 {
        return labels;
    }
    let (rows, device) = (labels.dims()[0], labels.device());
    let null = Tensor::full([dropped], classes as i64, &device);
    if dropped == rows { null } else { Tensor::cat(vec![null, labels.narrow(0, dropped, rows - dropped)], 0) }
}

/// The condition of an inner backend, on the outer one.
fn outer<B: AutodiffBackend>(condition: Condition<B::InnerBackend>) -> Condition<B> {
    Condition {
        labels: condition.labels.map(Tensor::from_inner),
        augment: condition.augment.map(Tensor::from_inner),
        guidance: condition.guidance.map(|guidance| guidance.map(Tensor::from_inner)),
        dropout: condition.dropout,
    }
}
