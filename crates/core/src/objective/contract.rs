//! What an objective is to the training loop.

use super::{About, Reference, ReferenceError};
use crate::{Backbone, Streams, flow::Prediction, precision::Precision};
use burn::{
    backend::Autodiff,
    module::Module,
    tensor::{
        Int, Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use core::fmt::Debug;
use meanflow_jvp::{ForwardMode, Jvp, Mode};
use meanflow_settings::Reader;
use std::path::PathBuf;

/// A backend on which a loss is computed: reverse mode with forward mode on top.
///
/// `Jvp<Autodiff<X>>` keeps tangents off the tape, `Jvp<Autodiff<X>, Taped>` on it ([`Objective::Tangents`]). A loss is written
/// once: [`Dual::from_value`](meanflow_jvp::Dual::from_value) puts a derivative back among the tensors of `B`, as a constant in
/// the first case, with its gradient in the second.
pub trait TrainBackend: AutodiffBackend + ForwardMode {}

impl<B: AutodiffBackend + ForwardMode> TrainBackend for B {}

/// A batch of data on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// Samples in [−1, 1], `[batch, channels, height, width]`.
    pub x: Tensor<B, 4>,
    /// Classes, `[batch]`.
    pub labels: Option<Tensor<B, 1, Int>>,
    /// How each sample was augmented, `[batch, numbers]`; see [`Condition::augment`](crate::Condition::augment).
    pub augment: Option<Tensor<B, 2>>,
    /// The numbers in which rows without a derivative are computed.
    pub precision: Precision,
}

/// Where a step stands in its run.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// All random numbers of the run.
    pub streams: &'a Streams,
    /// Number of the update, from 0.
    pub step: u64,
    /// Updates in all, for schedules.
    pub steps: u64,
    /// Classes of the batch on the host, `[batch]`.
    pub labels: Option<&'a [usize]>,
}

impl<'a> At<'a> {
    /// Step `step` of `steps`, of data without classes.
    pub fn new(streams: &'a Streams, step: u64, steps: u64) -> Self {
        Self { streams, step, steps, labels: None }
    }

    /// The share of the run that is done, in [0, 1).
    pub fn progress(&self) -> f64 {
        self.step as f64 / self.steps as f64
    }
}

/// Host values of the rows of a batch, which can be cut as the batch is.
pub trait Rows: Clone + Debug + Send {
    /// The groups `index`, `index + parts`, `index + 2·parts`, … of rows; a group is that of [`Facts::group`].
    fn part(&self, index: usize, parts: usize) -> Self;
}

/// Items `index`, `index + parts`, … of `values` whose items are `width` numbers each.
pub fn every_nth<T: Copy>(values: &[T], width: usize, index: usize, parts: usize) -> Vec<T> {
    values.chunks_exact(width).skip(index).step_by(parts).flatten().copied().collect()
}

/// The networks of a step.
#[derive(Debug)]
pub struct Nets<'a, N, F> {
    /// The network in training, on the tape.
    pub online: &'a N,
    /// The same weights without gradient.
    pub frozen: &'a F,
    /// The networks that [`Facts::teachers`] asks for, in its order, without gradient.
    pub teachers: &'a [F],
}

/// A network that an objective takes its target from.
#[derive(Clone, Debug, PartialEq)]
pub enum Teacher {
    /// A moving average of the network in training, `θ⁻ ← decay·θ⁻ + (1 − decay)·θ` after an update; it begins as a copy and is
    /// part of a checkpoint.
    Ema {
        /// Share that this update keeps.
        decay: f64,
    },
    /// The weights in this run folder or file, of the network that is trained; they stay as they are.
    Frozen(PathBuf),
}

/// What a network has learned when training is done, which decides the solvers that may sample from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learns {
    /// The instantaneous velocity `v(z, t) = u(z, t, t)`.
    Velocity,
    /// The average velocity `u(z, r, t)` for all `r ≤ t`.
    Average,
    /// The map to data, `z_0`, from every time, and nothing between.
    Consistency,
}

impl Learns {
    const ALL: [Self; 3] = [Self::Velocity, Self::Average, Self::Consistency];

    /// A word for it, in files of networks.
    pub fn name(self) -> &'static str {
        match self {
            Self::Velocity => "instantaneous",
            Self::Average => "average",
            Self::Consistency => "consistency",
        }
    }

    /// What is called so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|learns| learns.name() == name)
    }
}

/// What of a batch stays together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// So many consecutive rows; the number divides the batch.
    Rows(usize),
    /// All of it, which is made of so many consecutive rows: it is not cut.
    Batch(usize),
}

/// What the rest of the program asks of an objective, whatever it is.
pub trait Facts {
    /// What the network learns.
    fn learns(&self) -> Learns;

    /// What the network's output means.
    fn prediction(&self) -> Prediction {
        Prediction::Average
    }

    /// The teachers, with what step `at.step` does to them; their number is the same in every step.
    fn teachers(&self, _at: &At) -> Vec<Teacher> {
        Vec::new()
    }

    /// What stays together when a batch is cut into parts.
    fn group(&self) -> Group {
        Group::Rows(1)
    }

    /// Whether the loss asks for a learned log-variance of its rows ([`Backbone::log_variance`]).
    fn learned_weight(&self) -> bool {
        false
    }

    /// Whether a step depends on how many there will be ([`At::steps`]): such a run cannot be made longer later.
    fn depends_on_length(&self) -> bool {
        false
    }

    /// Names of the measures of a step, in the order of the log.
    fn measures(&self) -> &'static [&'static str];

    /// How often a step evaluates the network.
    fn cost(&self) -> Cost;
}

/// How often a step evaluates the network, and what it keeps of that, for estimates. Guidance in the target is not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Passes through the network whose values are kept for the gradient, a row.
    pub passes: f64,
    /// Those of them that carry tangents.
    pub dual: f64,
    /// Whether those tangents are on the tape.
    pub taped: bool,
    /// Passes without gradient, of teachers and targets, a row.
    pub plain: f64,
}

impl Cost {
    /// One pass that is kept for the gradient, and so many without gradient.
    pub fn one_pass(plain: f64) -> Self {
        Self { passes: 1.0, dual: 0.0, taped: false, plain }
    }

    /// What a step costs a row, in forward passes without gradient: backward counts two, a tangent beside the values as much again
    /// as what it stands beside, on the tape with its backward.
    pub fn in_forward_passes(self) -> f64 {
        let tangents = if self.taped { 3.0 } else { 1.0 };
        3.0 * self.passes + tangents * self.dual + self.plain
    }

    /// This on so large a share of the rows, and one pass on the rest.
    pub fn on(self, share: f64) -> Self {
        let passes = 1.0 + share * (self.passes - 1.0);
        Self { passes, dual: share * self.dual, plain: share * self.plain, ..self }
    }
}

/// How a measure of rows becomes one number of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// The mean over the rows of the batch that have it.
    Mean,
    /// The root of the mean square over the numbers of the rows that have it; a row's value is the sum of its squares.
    RootMeanSquare,
}

/// Something that a step measures beside its loss.
#[derive(Clone, Debug)]
pub struct Measure<B: Backend> {
    /// Its name in the log.
    pub name: &'static str,
    /// How rows become one number.
    pub reduce: Reduce,
    /// One value a row.
    pub rows: Tensor<B, 1>,
}

impl<B: Backend> Measure<B> {
    /// The mean of `rows`.
    pub fn mean(name: &'static str, rows: Tensor<B, 1>) -> Self {
        Self { name, reduce: Reduce::Mean, rows }
    }

    /// The root mean square of numbers whose squares sum to `rows`.
    pub fn root_mean_square(name: &'static str, rows: Tensor<B, 1>) -> Self {
        Self { name, reduce: Reduce::RootMeanSquare, rows }
    }
}

/// What an objective returns for one batch, or a part of it.
#[derive(Debug)]
pub struct Loss<B: AutodiffBackend> {
    /// What is minimised, the mean over the rows, `[1]`.
    pub loss: Tensor<B, 1>,
    /// What is logged, by name.
    pub measures: Vec<Measure<B::InnerBackend>>,
}

impl<B: AutodiffBackend> Loss<B> {
    /// The rows of a measure, if this step has it.
    pub fn measure(&self, name: &str) -> Option<Tensor<B::InnerBackend, 1>> {
        self.measures.iter().find(|measure| measure.name == name).map(|measure| measure.rows.clone())
    }
}

/// A training objective: its settings, its random numbers, its loss.
///
/// Everything random is drawn on the host in [`draw`](Self::draw), from named streams; [`loss`](Self::loss) is a function of its
/// arguments.
pub trait Objective: Facts + Clone + Debug + PartialEq + Send + Sync {
    /// The name in experiment files, kebab-case.
    const NAME: &'static str;

    /// What it does, in a line, with its paper.
    const ABOUT: &'static str;

    /// The method of its files of reference numbers.
    const METHOD: &'static str = Self::NAME;

    /// Where tangents live: [`Untaped`](meanflow_jvp::Untaped), or [`Taped`](meanflow_jvp::Taped) if the gradient goes
    /// through the Jacobian-vector product.
    type Tangents: Copy + Default + Send + Sync + Debug + 'static;

    /// Its random numbers of one step, and numbers of its schedules.
    type Draws: Rows;

    /// Reads its table of an experiment file; every problem is told to `r`, and what is returned then is of no use.
    fn read(r: &mut Reader, about: &About) -> Self;

    /// All random numbers of a step for samples of `shape`.
    fn draw(&self, at: &At, shape: [usize; 4]) -> Self::Draws;

    /// Which sample of the whole batch goes with the draws of each row: row `i` of the batch becomes its row `pairs[i]`, with all
    /// that belongs to it; `None`: as they come. `samples` are those of the batch on the host, row-major.
    fn pairs(&self, _at: &At, _samples: &[f32], _draws: &Self::Draws) -> Option<Vec<usize>> {
        None
    }

    /// Computes what a reference file of this objective holds, in its place.
    ///
    /// # Errors
    /// If the file lacks something, or there are no such files.
    fn parity<B: TrainBackend>(
        _reference: &mut Reference,
        _device: &B::Device,
    ) -> Result<(), ReferenceError> {
        Err(ReferenceError::None(Self::NAME))
    }

    /// The loss of the networks on `batch`.
    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &Self::Draws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>;
}

/// The backend of an objective's loss over the plain backend `X`.
pub type Tape<X, O> = Jvp<Autodiff<X>, <O as Objective>::Tangents>;

/// Something done with an objective of any kind on the plain backend `X`.
pub trait Visit<X: Backend> {
    /// What comes of it.
    type Output;

    /// Does it.
    fn on<O: Objective<Tangents: Mode<Autodiff<X>>>>(self, objective: &O) -> Self::Output;
}
