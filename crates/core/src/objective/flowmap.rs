//! Flow-map self-distillation (arXiv 2505.18825): a map between any two times, taught by itself.
//!
//! A share of the rows learns the velocity, `‖u(z, t, t) − v‖²`; on the others, `r ≤ t`, a residual `R` says what a map of the flow
//! must fulfil: that two maps in a row are one ([`Psd`]), how the map changes with its end ([`Lsd`]) or with its start ([`Esd`]).

use super::{
    About, At, Batch, Cost, Draws, Facts, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError,
    Rows, TrainBackend, condition, every_nth,
    host::{column, samples},
    outer, trained,
};
use crate::{
    Backbone, Condition, Dropout,
    interpolant::{linear_path, squared_norm},
    random::open_unit,
    time::{TimeLaw, Times},
};
use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use core::fmt::Debug;
use meanflow_settings::{Flag, Number, Reader};

mod esd;
mod lsd;
mod parity;
mod psd;

pub use esd::{Esd, Spatial};
pub use lsd::Lsd;
pub use psd::{Progressive, Psd, Split, SplitMeanflow};

/// Settings of a flow map with the residual `R`.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowMapConfig<R> {
    /// Share of rows with `r ≠ t`.
    pub share: f64,
    /// Law of times; two draws make a pair.
    pub time: TimeLaw,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
    /// Whether a learned log-variance `w` of the times weighs a row, `e^(−w)·R + w`.
    pub learned_weight: bool,
    /// What the map must fulfil.
    pub residual: R,
}

/// What a map of the flow must fulfil.
pub trait Residual: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The name in experiment files.
    const NAME: &'static str;
    /// What it does, in a line, with its paper.
    const ABOUT: &'static str;
    /// Share of rows with `r ≠ t` unless another is asked for.
    const SHARE: f64;
    /// Whether rows have a learned weight unless it is said otherwise.
    const LEARNED_WEIGHT: bool;
    /// Where tangents live.
    type Tangents: Copy + Default + Send + Sync + Debug + 'static;

    /// Reads its keys.
    fn read(r: &mut Reader) -> Self;

    /// As a reference file has it.
    ///
    /// # Errors
    /// If it has it in a way that is not here.
    fn of(reference: &Reference) -> Result<Self, ReferenceError>;

    /// How often a row with `r ≠ t` evaluates the network.
    fn cost(&self) -> Cost;

    /// Share of the way from `t` to `r` that lies beyond the point between, for a uniform draw, if there is such a point.
    fn split(&self, _u: f64) -> Option<f64> {
        None
    }

    /// `R` of each row with `r ≠ t`, the sum over its elements.
    fn rows<B, N, F>(&self, nets: &Taught<N, F>, at: Moved<B::InnerBackend>) -> Tensor<B, 1>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>;
}

/// The network, and what teaches it: itself, but in the files of reference numbers.
#[derive(Debug)]
pub struct Taught<'a, N, F> {
    /// The network in training.
    pub online: &'a N,
    /// What teaches it, where only a derivative is taken.
    pub twin: &'a N,
    /// What teaches it, without gradient.
    pub teacher: &'a F,
}

/// Rows with `r ≠ t`.
#[derive(Clone, Debug)]
pub struct Moved<B: Backend> {
    /// `z_t`, `[batch, channels, height, width]`.
    pub z: Tensor<B, 4>,
    /// Time of the map's end, `[batch]`.
    pub r: Tensor<B, 1>,
    /// Time of its start, `[batch]`.
    pub t: Tensor<B, 1>,
    /// Share of the way that lies beyond the point between, `[batch]`; empty if there is no such point.
    pub beyond: Option<Tensor<B, 1>>,
    /// What the network is trained on.
    pub condition: Condition<B>,
}

/// The random numbers of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowMapDraws {
    /// Noise, times, dropped labels.
    pub draws: Draws,
    /// Share of the way beyond the point between, `[batch]`; empty if there is no such point.
    pub beyond: Vec<f32>,
}

impl Rows for FlowMapDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        let beyond = every_nth(&self.beyond, 1, index, parts);
        Self { draws: self.draws.part(index, parts), beyond }
    }
}

/// The draws as tensors, in any precision.
struct Inputs<B: Backend> {
    e: Tensor<B, 4>,
    t: Tensor<B, 1>,
    r: Tensor<B, 1>,
    beyond: Option<Tensor<B, 1>>,
}

/// The loss of each row with what it is made of.
struct Terms<B: TrainBackend> {
    /// `‖u − v‖²` of the rows with `r = t`.
    velocity: Option<Tensor<B::InnerBackend, 1>>,
    /// `R` of the others.
    map: Option<Tensor<B::InnerBackend, 1>>,
    rows: Tensor<B, 1>,
}

impl<R: Residual> FlowMapConfig<R> {
    fn terms<B, N, F>(
        &self,
        nets: &Taught<N, F>,
        batch: &Batch<B::InnerBackend>,
        inputs: Inputs<B::InnerBackend>,
        draws: &Draws,
    ) -> Terms<B>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Inputs { e, t, r, beyond } = inputs;
        let (rows, still) = (t.dims()[0], draws.times.still);
        let classes = nets.online.classes();
        let condition = trained(condition(batch, classes), classes, draws);
        let path = linear_path(batch.x.clone(), e, t.clone());
        let lift = |a: &Tensor<B::InnerBackend, 1>| Tensor::<B, 1>::from_inner(a.clone());
        let log = self.learned_weight.then(|| {
            let z = Tensor::from_inner(path.z.clone());
            nets.online.log_variance(z, lift(&r), lift(&t), &outer(condition.clone()))
        });
        let velocity = (still > 0).then(|| {
            let part =
                |a: &Tensor<B::InnerBackend, 4>| Tensor::<B, 4>::from_inner(a.clone().narrow(0, 0, still));
            let t = lift(&t).narrow(0, 0, still);
            let u = nets.online.forward(part(&path.z), t.clone(), t, &outer(condition.rows(0, still)));
            squared_norm(u - part(&path.v))
        });
        let moved = rows - still;
        let map = (moved > 0).then(|| {
            let part = |a: Tensor<B::InnerBackend, 1>| a.narrow(0, still, moved);
            let moved = Moved {
                z: path.z.narrow(0, still, moved),
                r: part(r),
                t: part(t),
                beyond: beyond.map(part),
                condition: condition.rows(still, moved),
            };
            self.residual.rows::<B, N, F>(nets, moved)
        });
        let inner = |part: &Option<Tensor<B, 1>>| part.clone().map(Tensor::inner);
        let (shown_velocity, shown_map) = (inner(&velocity), inner(&map));
        let rows = Tensor::cat([velocity, map].into_iter().flatten().collect(), 0);
        let rows = match log.flatten() {
            Some(log) => rows * log.clone().neg().exp() + log,
            None => rows,
        };
        Terms { velocity: shown_velocity, map: shown_map, rows }
    }
}

impl<R: Residual> Facts for FlowMapConfig<R> {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn learned_weight(&self) -> bool {
        self.learned_weight
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "velocity", "map"]
    }

    fn cost(&self) -> Cost {
        self.residual.cost().on(self.share)
    }
}

impl<R: Residual> Objective for FlowMapConfig<R> {
    const NAME: &'static str = R::NAME;
    const ABOUT: &'static str = R::ABOUT;

    type Tangents = R::Tangents;
    type Draws = FlowMapDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        Self {
            share: r.get("share", Number::UNIT, R::SHARE),
            time: TimeLaw::read(r, "time", TimeLaw::Uniform),
            label_dropout: about.label_dropout(r, 0.1),
            learned_weight: r.get("learned-weight", Flag, R::LEARNED_WEIGHT),
            residual: R::read(r),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> FlowMapDraws {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let [mut first, mut second, mut label, mut between] =
            ["time-t", "time-r", "label-dropout", "time-between"].map(|name| streams.rng(name, step));
        let still = (rows as f64 * (1.0 - self.share) + 1e-9).floor() as usize;
        let pairs = (0..rows).map(|row| {
            let (a, b) = (self.time.draw(&mut first) as f32, self.time.draw(&mut second) as f32);
            if row < still { (a, a) } else { (a.max(b), a.min(b)) }
        });
        let draws = Draws {
            noise: streams.normal("noise", step, shape.iter().product()),
            times: Times::new(pairs),
            dropped: (0..rows).map(|_| open_unit(&mut label) < self.label_dropout).collect(),
            dropout: Some(Dropout::new(streams, step)),
            guidance: None,
        };
        let beyond = (0..rows).filter_map(|_| self.residual.split(open_unit(&mut between)));
        FlowMapDraws { draws, beyond: beyond.map(|share| share as f32).collect() }
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &FlowMapDraws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (shape, device, times) = (batch.x.dims(), batch.x.device(), &draws.draws.times);
        let column = |values: &[f32]| column(values, &device);
        let inputs = Inputs {
            e: samples(&draws.draws.noise, shape, &device),
            t: column(&times.t),
            r: column(&times.r),
            beyond: (!draws.beyond.is_empty()).then(|| column(&draws.beyond)),
        };
        let taught = Taught { online: nets.online, twin: nets.online, teacher: nets.frozen };
        let terms = self.terms::<B, N, F>(&taught, &batch, inputs, &draws.draws);
        let parts: Vec<_> = [&terms.velocity, &terms.map].into_iter().flatten().cloned().collect();
        let mut measures = vec![Measure::mean("raw", Tensor::cat(parts, 0))];
        measures.extend(terms.velocity.map(|rows| Measure::mean("velocity", rows)));
        measures.extend(terms.map.map(|rows| Measure::mean("map", rows)));
        Loss { loss: terms.rows.mean(), measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        parity::compare::<B, R>(reference, device)
    }
}
