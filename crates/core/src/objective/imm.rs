//! Inductive moment matching (IMM, arXiv 2503.07565): maps from two times of a group of samples land in the same distribution.
//!
//! On the path `x_t = (1−t)·x + t·σ_d·e` with `f(x_t, s, t) = x_t − (t−s)·σ_d·F(x_t/σ_d, s, t)`, groups of `M` samples share `s < r < t`, and
//! `L = E w(t)·MMD²(f(x_t, s, t), sg f(x_r, s, r))` with the same noise in both, the kernel
//! `k(a, b) = exp(−max(‖a−b‖, ε)/(D·(t−s)·σ_d))`, and
//! `w(t) = (1−t)^a/((1−t)² + t²)·sigmoid(b − log SNR)/(t·(1−t))`, `log SNR = 2·ln((1−t)/t)`.
//! `F` is the average velocity of the flow of `x/σ_d`.

use super::{
    About, At, Batch, Cost, Facts, Group, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError,
    Rows, TrainBackend, condition, every_nth,
    host::{column, samples},
    labels::{outer, without},
    reference::Stub,
};
use crate::{
    Backbone, Clock, Condition, Dropout, Prediction,
    flow::{ScaledData, T_MAX},
    interpolant::{linear_path, per_row},
    random::open_unit,
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Tensor, backend::Backend},
};
use meanflow_jvp::Untaped;
use meanflow_settings::{Number, Reader, Within};

/// Settings of inductive moment matching.
#[derive(Clone, Debug, PartialEq)]
pub struct ImmConfig {
    /// `M`: samples of a group, consecutive rows of a batch.
    pub group: usize,
    /// The middle time is nearer by `2^−k` of all noise-to-signal ratios.
    pub k: usize,
    /// Power of the data's share in the weight.
    pub a: f64,
    /// Shift of the weight's sigmoid.
    pub b: f64,
    /// Standard deviation of the data.
    pub sigma_data: f64,
    /// Share of labels replaced by the null class, in both maps.
    pub label_dropout: f64,
}

/// The random numbers of a step; the rows of a group have the same times.
#[derive(Clone, Debug, PartialEq)]
pub struct ImmDraws {
    /// Rows of a group.
    pub group: usize,
    /// Noise `e`, row-major.
    pub noise: Vec<f32>,
    /// Time of the map that is trained, `[batch]`.
    pub t: Vec<f32>,
    /// Time of the map that is the target, `[batch]`.
    pub middle: Vec<f32>,
    /// Time at which both land, `[batch]`.
    pub end: Vec<f32>,
    /// Whether a row loses its label.
    pub dropped: Vec<bool>,
    /// Key of the masks of a network with dropout, shared by both maps.
    pub dropout: Option<Dropout>,
}

impl Rows for ImmDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        let group = self.group;
        let chosen = |values: &[f32]| every_nth(values, group, index, parts);
        Self {
            group,
            noise: every_nth(&self.noise, group * self.noise.len() / self.t.len(), index, parts),
            t: chosen(&self.t),
            middle: chosen(&self.middle),
            end: chosen(&self.end),
            dropped: every_nth(&self.dropped, group, index, parts),
            dropout: self.dropout.map(|dropout| dropout.groups(group, index, parts)),
        }
    }
}

/// The draws as tensors, in any precision; times are `[batch]`.
struct Inputs<B: Backend> {
    e: Tensor<B, 4>,
    t: Tensor<B, 1>,
    middle: Tensor<B, 1>,
    end: Tensor<B, 1>,
}

/// The loss of each group with what it is made of; one number a group but for the maps.
struct Terms<B: TrainBackend> {
    trained: Tensor<B, 4>,
    target: Tensor<B::InnerBackend, 4>,
    kernel: Tensor<B::InnerBackend, 1>,
    outer: Tensor<B::InnerBackend, 1>,
    mmd: Tensor<B, 1>,
    groups: Tensor<B, 1>,
}

/// Added to the distance in time, and the least squared distance in space.
const FLOORS: [f64; 2] = [1e-6, 1e-8];

impl ImmConfig {
    /// The middle time of `t`: its noise-to-signal ratio `t/(1−t)` is less by `2^−k` of the largest.
    fn middle(&self, t: f64, t_max: f64) -> f64 {
        let ratio = |t: f64| t / (1.0 - t);
        let most = ratio(t_max);
        let near = (ratio(t) - most * 0.5f64.powi(self.k as i32)).clamp(0.0, most);
        near / (1.0 + near)
    }

    /// `MMD²` of each group with so many times the distance over `D` in the kernel, `[groups]`; pairs of a sample with itself count.
    fn mmd<B: TrainBackend>(
        &self,
        trained: &Tensor<B, 4>,
        target: &Tensor<B::InnerBackend, 4>,
        kernel: Tensor<B::InnerBackend, 1>,
    ) -> Tensor<B, 1> {
        let (size, count) = (self.group, kernel.dims()[0]);
        let elements: usize = trained.dims()[1..].iter().product();
        // Products, since Burn's reverse mode divides by a scalar in single precision.
        let rate = Tensor::<B, 1>::from_inner(kernel).reshape([count, 1]) * (-1.0 / elements as f64);
        let similar = |a: &Tensor<B, 4>, b: &Tensor<B, 4>| {
            let a = a.clone().reshape([count, size, 1, elements]);
            let difference = a - b.clone().reshape([count, 1, size, elements]);
            let squared = difference.powi_scalar(2).sum_dim(3).reshape([count, size * size]);
            let k = (squared.clamp_min(FLOORS[1]).sqrt() * rate.clone()).exp();
            k.sum_dim(1).reshape([count]) * (1.0 / (size * size) as f64)
        };
        let target = Tensor::from_inner(target.clone());
        similar(trained, trained) + similar(&target, &target) - similar(trained, &target) * 2.0
    }

    fn terms<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: &Batch<B::InnerBackend>,
        inputs: Inputs<B::InnerBackend>,
        dropped: &[bool],
        dropout: Option<Dropout>,
    ) -> Terms<B>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Inputs { e, t, middle, end } = inputs;
        let (rows, size, scale) = (dropped.len(), self.group, self.sigma_data);
        let count = rows / size;
        let classes = nets.online.classes();
        let plain = condition(batch, classes);
        let labels = plain.labels.clone().zip(classes).map(|(labels, null)| without(labels, null, dropped));
        let condition = Condition { labels, dropout, ..plain };

        // Both maps, of data with standard deviation 1 and back.
        let data = batch.x.clone() * (1.0 / scale);
        let at = |t: &Tensor<B::InnerBackend, 1>| linear_path(data.clone(), e.clone(), t.clone()).z;
        let (z, near) = (at(&t), at(&middle));
        let lift = Tensor::<B, 1>::from_inner;
        let output = nets.online.forward(
            Tensor::from_inner(z.clone()),
            lift(end.clone()),
            lift(t.clone()),
            &outer(condition.clone()),
        );
        let way = per_row(t.clone() - end.clone());
        let trained = (Tensor::from_inner(z) - output * Tensor::from_inner(way)) * scale;
        let output = nets.frozen.forward(near.clone(), end.clone(), middle.clone(), &condition);
        let target = (near - output * per_row(middle - end.clone())) * scale;

        // One time a group.
        let first =
            |times: Tensor<B::InnerBackend, 1>| times.reshape([count, size]).narrow(1, 0, 1).reshape([count]);
        let (t, end) = (first(t), first(end));
        let kernel = ((t.clone() - end).abs() * scale + FLOORS[0]).recip();
        let mmd = self.mmd(&trained, &target, kernel.clone());

        let data = -t.clone() + 1.0;
        let snr = (data.clone() / t.clone()).log() * 2.0;
        let sigmoid = ((snr - self.b).exp() + 1.0).recip();
        let total = data.clone().powi_scalar(2) + t.clone().powi_scalar(2);
        let outer = data.clone().powf_scalar(self.a) / total * sigmoid / (t * data);
        let groups = mmd.clone() * Tensor::from_inner(outer.clone());
        Terms { trained, target, kernel, outer, mmd, groups }
    }
}

impl Facts for ImmConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn prediction(&self) -> Prediction {
        Prediction::ScaledData(ScaledData { sigma_data: self.sigma_data })
    }

    fn group(&self) -> Group {
        Group::Rows(self.group)
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(1.0)
    }
}

impl Objective for ImmConfig {
    const NAME: &'static str = "imm";
    const ABOUT: &'static str =
        "inductive moment matching: maps from two times land alike, in groups (arXiv 2503.07565)";

    type Tangents = Untaped;
    type Draws = ImmDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        Self {
            group: r.get("group", Within(1, 1 << 12), 4),
            k: r.get("k", Within(1, 40), 12),
            a: r.get("a", Number::NOT_NEGATIVE, 2.0),
            b: r.get("b", Number::ANY, 4.0),
            sigma_data: r.get("sigma-data", Number::POSITIVE, 0.5),
            label_dropout: about.label_dropout(r, 0.1),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> ImmDraws {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let [mut first, mut second, mut label] =
            ["time-t", "time-r", "label-dropout"].map(|name| streams.rng(name, step));
        let mut draws = ImmDraws {
            group: self.group,
            noise: streams.normal("noise", step, shape.iter().product()),
            t: Vec::with_capacity(rows),
            middle: Vec::with_capacity(rows),
            end: Vec::with_capacity(rows),
            dropped: (0..rows).map(|_| open_unit(&mut label) < self.label_dropout).collect(),
            dropout: Some(Dropout::new(streams, step)),
        };
        for _ in 0..rows / self.group {
            let t = open_unit(&mut first) * T_MAX;
            let end = open_unit(&mut second) * t;
            let middle = self.middle(t, T_MAX).max(end);
            for (times, time) in [(&mut draws.t, t), (&mut draws.middle, middle), (&mut draws.end, end)] {
                times.extend(std::iter::repeat_n(time as f32, self.group));
            }
        }
        draws
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &ImmDraws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (shape, device) = (batch.x.dims(), batch.x.device());
        let column = |values: &[f32]| column(values, &device);
        let inputs = Inputs {
            e: samples(&draws.noise, shape, &device),
            t: column(&draws.t),
            middle: column(&draws.middle),
            end: column(&draws.end),
        };
        let terms = self.terms::<B, N, F>(nets, &batch, inputs, &draws.dropped, draws.dropout);
        Loss { loss: terms.groups.mean(), measures: vec![Measure::mean("raw", terms.mmd.inner())] }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let settings = Self {
            group: reference.number("group_size")? as usize,
            k: reference.number("k")? as usize,
            a: reference.number("a")?,
            b: reference.number("b")?,
            sigma_data: reference.number("sigma_data")?,
            label_dropout: reference.number("label_dropout_prob")?,
        };
        let t_max = reference.number("t_max")?;
        let each = |values: &[f64]| -> Vec<f64> {
            values.iter().flat_map(|value| std::iter::repeat_n(*value, settings.group)).collect()
        };
        let t: Vec<f64> = reference.host("in.u_t")?.iter().map(|u| u * t_max).collect();
        let end: Vec<f64> = reference.host("in.u_target")?.iter().zip(&t).map(|(u, t)| u * t).collect();
        // There, the middle time may lie before the end.
        let middle: Vec<f64> = t.iter().map(|t| settings.middle(*t, t_max)).collect();
        for (name, times) in [("in.t", &t), ("in.target_time", &end), ("in.middle", &middle)] {
            reference.found_host(name, each(times));
        }
        let column = |name| reference.column::<B::InnerBackend>(name, device);
        let inputs = Inputs {
            e: reference.tensor("in.e", device)?,
            t: column("in.t")?,
            middle: column("in.middle")?,
            end: column("in.target_time")?,
        };
        let batch = reference.batch(device)?;
        let stub = Stub::<B>::new(reference, "param", Clock::BothTimes, device)?;
        let nets = Nets { online: &stub, frozen: &stub.valid(), teachers: &[] };
        let dropped = reference.dropped()?;
        let terms = settings.terms::<B, _, _>(&nets, &batch, inputs, &dropped, None);
        // As published: the weights of every group meet the samples of every group.
        let count = terms.kernel.dims()[0];
        let all = (0..count).map(|i| {
            let [kernel, outer] = [&terms.kernel, &terms.outer].map(|weight| weight.clone().narrow(0, i, 1));
            let mmd = settings.mmd(&terms.trained, &terms.target, kernel.expand([count]));
            mmd.inner().mean() * outer
        });
        let all = Tensor::cat(all.collect(), 0).mean();
        reference.found("out.loss_broadcast", all);
        reference.found("out.f_t", terms.trained.inner());
        reference.found("out.f_middle", terms.target);
        reference.found("out.kernel_weight", terms.kernel);
        reference.found("out.outer_weight", terms.outer);
        reference.found("out.mmd", terms.mmd.inner());
        reference.found("out.per_group", terms.groups.clone().inner());
        reference.found_loss(&stub, terms.groups.mean());
        Ok(())
    }
}
