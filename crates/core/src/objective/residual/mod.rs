//! One residual behind many methods: `g = error·(F − v) + state·z + slope·dF/dt`, whose zero is the map that a network is to learn.
//!
//! MeanFlow's residual is `u − v + (t−r)·du/dt`. Published methods regress it, or its like on TrigFlow's path, and differ in where `v` comes
//! from ([`Velocity`], [`Guide`]), in the derivative ([`Derivative`]), in how far the target lies ([`Tangent`]), in the loss of a row
//! ([`RowWeight`]), in the law of times ([`Law`]) and a warm-up of the derivative. A [`Residual`] is a choice of those; a method that is
//! such a choice is a file of [`presets`].
//!
//! With `F⁻ = sg F`, the target is `F⁻ − A(g)` ([`Tangent`]) and carries no gradient.

pub(super) mod case;
mod derivative;
mod direction;
mod law;
mod path;
mod preset;
pub mod presets;
mod tangent;
mod velocity;
mod weight;

pub use derivative::Derivative;
pub use direction::Direction;
pub use law::{Law, Zero};
pub use path::{Form, Path};
pub use preset::{Preset, Published};
pub use tangent::Tangent;
pub use velocity::{Extrapolation, Guide, Velocity};
pub use weight::{Factor, Gap, Learned, Measured, RowWeight};

use super::{
    About, At, Batch, Cost, Group, Nets, Rows, Teacher, TrainBackend, condition, every_nth,
    flow_matching::still_rows, host::samples, labels::without,
};
use crate::{
    Backbone, Condition, Dropout,
    interpolant::{PathSample, per_row, squared_norm},
    precision::Precision,
    random::open_unit,
};
use burn::{
    module::Module,
    tensor::{Tensor, TensorData, backend::Backend},
};
use meanflow_settings::{Or, PathTo, Reader};
use std::path::PathBuf;

/// A choice of everything in which methods of one residual differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Residual {
    /// Where samples lie.
    pub path: Path,
    /// The velocity that an output of 1 stands for: 1, on the circle `σ_d`.
    pub unit: f64,
    /// What the residual is made of.
    pub form: Form,
    /// Law of the two times.
    pub law: Law,
    /// Source of the velocity.
    pub velocity: Velocity,
    /// The run or file of the frozen network, if that is the source.
    pub teacher: Option<PathBuf>,
    /// Guidance folded into it.
    pub guide: Option<Guide>,
    /// Whether the derivative is taken along the path's own velocity, whatever the target's is (TiM).
    pub plain_direction: bool,
    /// How the derivative is taken.
    pub derivative: Derivative,
    /// Share of the run over which the derivative is faded in; 0: it is there at once.
    pub warmup: f64,
    /// How far the target lies.
    pub tangent: Tangent,
    /// The loss of a row.
    pub weight: RowWeight,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
}

/// The random numbers of a step. Times are the path's own.
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualDraws {
    /// Noise `e`, row-major.
    pub noise: Vec<f32>,
    /// Times, `[batch]`, rows with `r = t` first.
    pub t: Vec<f64>,
    /// `[batch]`, `r ≤ t`.
    pub r: Vec<f64>,
    /// How many leading rows have `r = t`.
    pub still: usize,
    /// Whether a row loses its label.
    pub dropped: Vec<bool>,
    /// Whether a row takes the plug-in velocity; empty if there is none.
    pub plugged: Vec<bool>,
    /// The warm-up of the derivative, from 0 to 1.
    pub warm: f64,
    /// Key of the masks of a network with dropout.
    pub dropout: Option<Dropout>,
}

impl Rows for ResidualDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        Self {
            noise: every_nth(&self.noise, self.noise.len() / self.t.len(), index, parts),
            t: every_nth(&self.t, 1, index, parts),
            r: every_nth(&self.r, 1, index, parts),
            still: (index..self.still).step_by(parts).len(),
            dropped: every_nth(&self.dropped, 1, index, parts),
            plugged: every_nth(&self.plugged, 1, index, parts),
            warm: self.warm,
            dropout: self.dropout.map(|dropout| dropout.part(index, parts)),
        }
    }
}

/// Rows of a batch on a path, in its own time.
#[derive(Clone, Debug)]
pub struct Point<B: Backend> {
    /// The sample on its way, `[batch, channels, height, width]`.
    pub z: Tensor<B, 4>,
    /// Along which the derivative is taken, likewise.
    pub direction: Tensor<B, 4>,
    /// `[batch]`.
    pub r: Tensor<B, 1>,
    /// `[batch]`.
    pub t: Tensor<B, 1>,
}

impl<B: Backend> Point<B> {
    fn rows(&self, start: usize, length: usize) -> Self {
        Self {
            z: self.z.clone().narrow(0, start, length),
            direction: self.direction.clone().narrow(0, start, length),
            r: self.r.clone().narrow(0, start, length),
            t: self.t.clone().narrow(0, start, length),
        }
    }
}

/// A point with what is regressed there.
#[derive(Clone, Debug)]
pub(super) struct Task<B: Backend> {
    pub point: Point<B>,
    /// The velocity `v` of the target.
    pub velocity: Tensor<B, 4>,
    /// What the network is conditioned on: labels dropped, dropout acting.
    pub condition: Condition<B>,
}

/// What is regressed to, and the residual it comes from, in units of the output.
pub(super) struct Target<B: Backend> {
    pub residual: Tensor<B, 4>,
    pub target: Tensor<B, 4>,
}

/// The loss of a step with what it is made of.
pub(super) struct Step<B: TrainBackend> {
    pub task: Task<B::InnerBackend>,
    /// `dF/dt`, 0 on the rows with `r = t`.
    pub slope: Tensor<B::InnerBackend, 4>,
    /// The squared error of each row, `[batch]`.
    pub raw: Tensor<B::InnerBackend, 1>,
    /// The loss of each row, `[batch]`.
    pub rows: Tensor<B, 1>,
}

impl Residual {
    /// The step of a batch.
    pub(super) fn step<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: &Batch<B::InnerBackend>,
        draws: &ResidualDraws,
    ) -> Step<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let e = samples(&draws.noise, batch.x.dims(), &batch.x.device());
        let task = self.task(nets.frozen, nets.teachers, batch, e, draws);
        let networks = (nets.online, nets.frozen);
        let (output, slope) = self.slope::<B, N, F>(networks, batch.precision, &task, draws.still);
        let target = self.target(output.clone().inner(), slope.clone(), &task, draws).target;
        let raw = squared_norm(output.clone().inner() - target.clone());
        let rows = self.rows::<B, N>(nets.online, output, target, &task, draws);
        Step { task, slope, raw, rows }
    }

    /// The key `teacher`: the teacher's velocity takes the place of the data's.
    pub fn read_teacher(&mut self, r: &mut Reader) {
        self.teacher = read_teacher(r);
        if self.teacher.is_some() {
            self.velocity = Velocity::Teacher { flow: true };
        }
    }

    /// The key `guidance` of a method that guides its teacher and nothing else, with this scale by default.
    fn read_teacher_guidance(&mut self, r: &mut Reader, about: &About, omega: f64) {
        let guidance = Extrapolation::of_teacher(r, about, omega, self.teacher.is_some());
        let own = |times: [f64; 2]| times.map(|t| self.path.own(t));
        self.guide = guidance
            .map(|Extrapolation { omega, interval }| Extrapolation { omega, interval: own(interval) })
            .map(Guide::Extrapolated);
    }

    /// A problem if the network's own velocities guide it and its null class is not trained.
    pub(super) fn check(&self, r: &mut Reader, about: &About) {
        if self.guide.is_some() && self.teacher.is_none() {
            about.needs_null_class(r, self.label_dropout);
        }
    }

    pub(super) fn draw(&self, at: &At, shape: [usize; 4]) -> ResidualDraws {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let times = self.law.draw(streams, step, at.progress(), rows);
        let own = |times: &[f32]| times.iter().map(|&t| self.path.own(f64::from(t))).collect();
        let chance = |name: &str, share: f64| {
            let mut rng = streams.rng(name, step);
            (0..rows).map(|_| open_unit(&mut rng) < share).collect()
        };
        ResidualDraws {
            noise: streams.normal("noise", step, shape.iter().product()),
            t: own(&times.t),
            r: own(&times.r),
            still: times.still,
            dropped: chance("label-dropout", self.label_dropout),
            plugged: match self.velocity {
                Velocity::PlugIn(share) => chance("plug-in", share),
                _ => Vec::new(),
            },
            warm: if self.warmup > 0.0 { (at.progress() / self.warmup).min(1.0) } else { 1.0 },
            dropout: Some(Dropout::new(streams, step)),
        }
    }

    pub(super) fn teachers(&self) -> Vec<Teacher> {
        let average = match self.guide {
            Some(Guide::Mixed { decay: Some(decay), .. }) => Some(Teacher::Ema { decay }),
            _ => None,
        };
        average.into_iter().chain(self.teacher.clone().map(Teacher::Frozen)).collect()
    }

    /// All rows stay together where the velocity asks the whole batch.
    pub(super) fn group(&self) -> Group {
        match self.velocity {
            Velocity::PlugIn(share) if share > 0.0 => Group::Batch(1),
            _ => Group::Rows(1),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        let cost = self.derivative.cost().on(self.law.moved());
        // A teacher tells the velocity of every row.
        Cost { plain: cost.plain + if self.teacher.is_some() { 1.0 } else { 0.0 }, ..cost }
    }

    pub(super) fn depends_on_length(&self) -> bool {
        let annealed = matches!(self.law, Law::Pairs { zero: Zero::Annealed(over), .. } if over > 0.0);
        annealed || self.warmup > 0.0
    }

    /// The points of a batch with noise `e`, and the velocities of the target: of `own`, the network without gradient, or of an
    /// average of it or a frozen one where the settings say so.
    pub(super) fn task<B: Backend, F: Backbone<B>>(
        &self,
        own: &F,
        teachers: &[F],
        batch: &Batch<B>,
        e: Tensor<B, 4>,
        draws: &ResidualDraws,
    ) -> Task<B> {
        let classes = own.classes();
        let plain = condition(batch, classes);
        let labels = plain.labels.clone().zip(classes);
        let labels = labels.map(|(labels, null)| without(labels, null, &draws.dropped));
        let dropped = Condition { labels, ..plain.clone() };
        let (t, r) = (column(&draws.t, &batch.x), column(&draws.r, &batch.x));
        let PathSample { z, v } = self.path.sample(batch.x.clone(), e, t.clone());
        let carried = match (self.path, self.velocity) {
            (Path::Trig(trig), Velocity::Teacher { flow: true }) => Some(trig),
            _ => None,
        };
        let (place, time) = match carried {
            Some(trig) => trig.house(z.clone(), t.clone()),
            None => (self.path.input(z.clone()), t.clone() * self.path.told()),
        };
        let source = match self.velocity {
            Velocity::Data => v.clone(),
            Velocity::PlugIn(_) => {
                let plugged = velocity::plug_in(batch.x.clone(), z.clone(), v.clone(), t.clone());
                velocity::chosen(plugged, v.clone(), &draws.plugged)
            }
            Velocity::Teacher { .. } => {
                let teacher = teachers.last().expect("a frozen teacher");
                teacher.forward(place.clone(), time.clone(), time.clone(), &dropped)
            }
        };
        let velocity = match self.guide {
            None => source,
            Some(Guide::Mixed { field, decay, everywhere }) => {
                let net = if decay.is_some() { &teachers[0] } else { own };
                let none = vec![false; draws.t.len()];
                let dropped = if everywhere { &none } else { &draws.dropped };
                let told: Vec<f64> = draws.t.iter().map(|t| t * self.path.told()).collect();
                let v = source * self.unit.recip();
                field.field(net, place.clone(), v, &told, &plain, dropped) * self.unit
            }
            Some(Guide::Extrapolated(guidance)) => {
                let net = if self.velocity == Velocity::Data { own } else { &teachers[0] };
                guidance.of(net, (place.clone(), source), time, &draws.t, &dropped)
            }
        };
        let velocity = match carried {
            Some(trig) => trig.velocity(velocity, place, t.clone()),
            None => velocity,
        };
        let direction = if self.plain_direction { v } else { velocity.clone() };
        let condition = Condition { dropout: draws.dropout, ..dropped };
        Task { point: Point { z, direction, r, t }, velocity, condition }
    }

    /// `F` on the tape and `dF/dt` off it, which is 0 on the first `still` rows: there it has no say in the residual.
    pub(super) fn slope<B, N, F>(
        &self,
        (net, frozen): (&N, &F),
        precision: Precision,
        task: &Task<B::InnerBackend>,
        still: usize,
    ) -> (Tensor<B, 4>, Tensor<B::InnerBackend, 4>)
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let rows = task.point.z.dims()[0];
        let (mut outputs, mut slopes) = (Vec::new(), Vec::new());
        if still > 0 {
            let point = task.point.rows(0, still);
            let z = self.path.input(point.z);
            slopes.push(z.zeros_like());
            let condition = task.condition.rows(0, still);
            outputs.push(still_rows(net, precision, z, point.t * self.path.told(), condition));
        }
        if still < rows {
            let condition = task.condition.rows(still, rows - still);
            let point = task.point.rows(still, rows - still);
            let along = (self.path, Direction::FLOW);
            let (output, slope) = self.derivative.along::<B, N, F>(along, (net, frozen), &point, &condition);
            outputs.push(output);
            slopes.push(slope);
        }
        (joined(outputs), joined(slopes))
    }

    /// `F⁻ − A(g)` for the outputs `F⁻` and their derivatives.
    pub(super) fn target<B: Backend>(
        &self,
        output: Tensor<B, 4>,
        slope: Tensor<B, 4>,
        task: &Task<B>,
        draws: &ResidualDraws,
    ) -> Target<B> {
        let unit = self.unit.recip();
        let factors: Vec<[f64; 3]> = draws
            .r
            .iter()
            .zip(&draws.t)
            .map(|(r, t)| self.form.factors(self.path, *r, *t, draws.warm))
            .collect();
        let factor = |index: usize, unit: f64| {
            let values: Vec<f64> = factors.iter().map(|factors| factors[index] * unit).collect();
            per_row(column(&values, &output))
        };
        let mut residual = output.clone() * factor(0, 1.0) - task.velocity.clone() * factor(0, unit)
            + slope * factor(2, 1.0);
        if self.path != Path::Straight {
            residual = residual + task.point.z.clone() * factor(1, unit);
        }
        let step = self.tangent.of(residual.clone(), &task.point.t);
        Target { target: output - step, residual }
    }

    /// The loss of each row, with the log-variance of `net` if the method learns one.
    pub(super) fn rows<B, N>(
        &self,
        net: &N,
        output: Tensor<B, 4>,
        target: Tensor<B::InnerBackend, 4>,
        task: &Task<B::InnerBackend>,
        draws: &ResidualDraws,
    ) -> Tensor<B, 1>
    where
        B: TrainBackend,
        N: Backbone<B>,
    {
        let log = (self.weight.learned != Learned::Off).then(|| log_variance(net, self.path, task)).flatten();
        let factors: Vec<f64> = (0..draws.t.len())
            .map(|row| self.weight.factor.of(draws.r[row], draws.t[row], row < draws.still))
            .collect();
        let factors = Tensor::from_inner(column(&factors, &target));
        self.weight.rows(output, Tensor::from_inner(target), factors, log)
    }
}

/// The key `teacher`: `"off"`, or a run or file of the network in training, trained to velocities.
pub fn read_teacher(r: &mut Reader) -> Option<PathBuf> {
    r.get("teacher", Or("off", PathTo), None)
}

/// The learned log-variance of each row, of a network that has one.
pub(super) fn log_variance<B: TrainBackend, N: Backbone<B>>(
    net: &N,
    path: Path,
    task: &Task<B::InnerBackend>,
) -> Option<Tensor<B, 1>> {
    let Point { z, r, t, .. } = task.point.clone();
    let told = |t: Tensor<B::InnerBackend, 1>| Tensor::from_inner(t * path.told());
    let condition = super::outer(task.condition.clone());
    net.log_variance(Tensor::from_inner(path.input(z)), told(r), told(t), &condition)
}

/// Host numbers of the rows in the numbers of `like`, `[batch]`.
pub fn column<B: Backend, const D: usize>(values: &[f64], like: &Tensor<B, D>) -> Tensor<B, 1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&like.device(), like.dtype()))
}

fn joined<B: Backend>(mut parts: Vec<Tensor<B, 4>>) -> Tensor<B, 4> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}

/// `‖dF/dt‖²` of the rows with `r ≠ t`, if there are any.
fn slopes<B: Backend>(slope: Tensor<B, 4>, still: usize) -> Option<Tensor<B, 1>> {
    let rows = slope.dims()[0];
    (still < rows).then(|| squared_norm(slope.narrow(0, still, rows - still)))
}
