//! Shortcut models (arXiv 2410.12557): a step of length `d` must be two steps of half its length.
//!
//! The leading share of the rows, with `d = 2^−level` and `t` on the grid of `d`: `u(z, t−d, t)` is drawn to
//! `sg clip((u₁ + u₂)/2)` with `u₁ = u⁻(z, t−d/2, t)`, `z' = clip(z − d/2·u₁)`, `u₂ = u⁻(z', t−d, t−d/2)`, where `u⁻` is a moving
//! average of the network. The other rows learn the velocity, `u(z, t, t) → (1−ε)·e − x`, with `t` on the grid of the smallest
//! steps. Half of the smallest step but one counts as no length: there the average is the velocity itself.

use super::{
    About, At, Batch, Cost, Facts, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError, Rows,
    Teacher, TrainBackend, condition, every_nth,
    host::samples,
    labels::{outer, without},
    reference::{Stub, Told},
};
use crate::{
    Backbone, Clock, Condition, Dropout,
    interpolant::{per_row, squared_norm},
    random::open_unit,
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Int, Tensor, TensorData, backend::Backend},
};
use meanflow_jvp::Untaped;
use meanflow_settings::{Number, Reader, Within};

/// Settings of shortcut models.
#[derive(Clone, Debug, PartialEq)]
pub struct ShortcutConfig {
    /// `log₂` of the number of the smallest steps.
    pub levels: usize,
    /// Share of the rows that compare a step with two halves, rounded down to rows.
    pub share: f64,
    /// Decay of the average `u⁻`; 0 is the network itself.
    pub teacher_decay: f64,
    /// Bound of targets and of points half way, in absolute value.
    pub clip: f64,
    /// Noise that is left on the data, `ε`.
    pub noise_floor: f64,
    /// Share of labels replaced by the null class, of the rows that learn the velocity.
    pub label_dropout: f64,
    /// Scale of guidance of both halves of the smallest steps but one; `None`: no guidance.
    pub guidance: Option<f64>,
}

/// The random numbers of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct ShortcutDraws {
    /// Noise `e`, row-major.
    pub noise: Vec<f32>,
    /// `log₂` of the number of steps from noise to data, `[batch]`.
    pub level: Vec<u32>,
    /// How many of them a row has behind it, `[batch]`: `t = 1 − index·2^−level`.
    pub index: Vec<u32>,
    /// Rows that compare a step with two halves; they lead, the smallest steps first.
    pub halved: usize,
    /// Whether a row loses its label.
    pub dropped: Vec<bool>,
    /// Key of the masks of a network with dropout, for the online pass.
    pub dropout: Option<Dropout>,
}

impl Rows for ShortcutDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        Self {
            noise: every_nth(&self.noise, self.noise.len() / self.level.len(), index, parts),
            level: every_nth(&self.level, 1, index, parts),
            index: every_nth(&self.index, 1, index, parts),
            halved: (index..self.halved).step_by(parts).len(),
            dropped: every_nth(&self.dropped, 1, index, parts),
            dropout: self.dropout.map(|dropout| dropout.part(index, parts)),
        }
    }
}

impl ShortcutDraws {
    /// Time and length of a row's step; the rows that learn the velocity have steps of no length.
    fn step(&self, row: usize) -> [f64; 2] {
        let d = 0.5f64.powi(self.level[row] as i32);
        [1.0 - f64::from(self.index[row]) * d, if row < self.halved { d } else { 0.0 }]
    }
}

/// The loss of each row with what it is made of.
struct Terms<B: TrainBackend> {
    z: Tensor<B::InnerBackend, 4>,
    target: Tensor<B::InnerBackend, 4>,
    labels: Option<Tensor<B::InnerBackend, 1, Int>>,
    rows: Tensor<B, 1>,
}

impl ShortcutConfig {
    /// The levels of `rows` rows: equal shares of all, what is left over goes to the one step.
    fn shares(&self, rows: usize) -> Vec<u32> {
        let each = rows / self.levels;
        let last = (self.levels as u32).saturating_sub(1);
        let equal = (0..=last).rev().flat_map(|level| std::iter::repeat_n(level, each));
        equal.chain(std::iter::repeat(0)).take(rows).collect()
    }

    fn terms<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: &Batch<B::InnerBackend>,
        e: Tensor<B::InnerBackend, 4>,
        draws: &ShortcutDraws,
    ) -> Terms<B>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (x, rows, halved) = (batch.x.clone(), draws.level.len(), draws.halved);
        let (device, dtype) = (x.device(), x.dtype());
        let elements: usize = x.dims()[1..].iter().product();
        let column = |values: Vec<f64>| {
            let count = values.len();
            Tensor::<B::InnerBackend, 1>::from_data(TensorData::new(values, [count]), (&device, dtype))
        };
        let [t, d] = [0, 1].map(|which| column((0..rows).map(|row| draws.step(row)[which]).collect()));
        let data = per_row(-t.clone() + 1.0);
        let z = x.clone() * data.clone() + e.clone() * (data * self.noise_floor + per_row(t.clone()));
        let velocity = e * (1.0 - self.noise_floor) - x;

        let classes = nets.online.classes();
        let plain = condition(batch, classes);
        let labels = plain.labels.clone().zip(classes);
        let labels = labels.map(|(labels, null)| without(labels, null, &draws.dropped));
        let online = Condition { labels: labels.clone(), dropout: draws.dropout, ..plain.clone() };

        let mut target = Vec::new();
        if halved > 0 {
            let first = |a: &Tensor<B::InnerBackend, 1>| a.clone().narrow(0, 0, halved);
            let half = first(&d) * 0.5;
            let (t, z) = (first(&t), z.clone().narrow(0, 0, halved));
            // What the network is told of the half step: half of the smallest step but one is no length.
            let last = self.levels as u32 - 1;
            let told = |row: usize| if draws.level[row] == last { 0.0 } else { 0.5 * draws.step(row)[1] };
            let told = column((0..halved).map(told).collect());
            let smallest = draws.level[..halved].iter().take_while(|level| **level == last).count();
            let condition = plain.rows(0, halved);
            let middle = t.clone() - half.clone();
            let early =
                self.half(&nets.teachers[0], z.clone(), [t.clone() - told.clone(), t], &condition, smallest);
            let near = (z - early.clone() * per_row(half)).clamp(-self.clip, self.clip);
            let late =
                self.half(&nets.teachers[0], near, [middle.clone() - told, middle], &condition, smallest);
            target.push(((early + late) * 0.5).clamp(-self.clip, self.clip));
        }
        if halved < rows {
            target.push(velocity.narrow(0, halved, rows - halved));
        }
        let target = Tensor::cat(target, 0);
        let u = nets.online.forward(
            Tensor::from_inner(z.clone()),
            Tensor::from_inner(t.clone() - d),
            Tensor::from_inner(t),
            &outer(online),
        );
        // A product, since Burn's reverse mode divides by a scalar in single precision.
        let rows = squared_norm(u - Tensor::from_inner(target.clone())) * (1.0 / elements as f64);
        Terms { z, target, labels, rows }
    }

    /// The average of `net` over a half step; the first `guided` rows are guided.
    fn half<B: Backend, F: Backbone<B>>(
        &self,
        net: &F,
        z: Tensor<B, 4>,
        [r, t]: [Tensor<B, 1>; 2],
        condition: &Condition<B>,
        guided: usize,
    ) -> Tensor<B, 4> {
        let own = net.forward(z.clone(), r.clone(), t.clone(), condition);
        let (Some(omega), Some(null), true) = (self.guidance, net.classes(), guided > 0) else { return own };
        let rows = own.dims()[0];
        let condition = condition.rows(0, guided);
        let labels = condition.labels.clone().map(|labels| labels.full_like(null as i64));
        let condition = Condition { labels, ..condition };
        let [r, t] = [r, t].map(|time| time.narrow(0, 0, guided));
        let free = net.forward(z.narrow(0, 0, guided), r, t, &condition);
        let mixed = free.clone() + (own.clone().narrow(0, 0, guided) - free) * omega;
        if guided == rows { mixed } else { Tensor::cat(vec![mixed, own.narrow(0, guided, rows - guided)], 0) }
    }
}

impl Facts for ShortcutConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn teachers(&self, _at: &At) -> Vec<Teacher> {
        vec![Teacher::Ema { decay: self.teacher_decay }]
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "halves", "velocity"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(2.0 * self.share)
    }
}

impl Objective for ShortcutConfig {
    const NAME: &'static str = "shortcut";
    const ABOUT: &'static str = "shortcut models: one step as two of half its length (arXiv 2410.12557)";

    type Tangents = Untaped;
    type Draws = ShortcutDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let settings = Self {
            levels: r.get("levels", Within(1, 20), 7),
            share: r.get("share", Number::UNIT, 0.125),
            teacher_decay: r.get("teacher-decay", Number::BELOW_ONE, 0.999),
            clip: r.get("clip", Number::POSITIVE, 4.0),
            noise_floor: r.get("noise-floor", Number::BELOW_ONE, 1e-5),
            label_dropout: about.label_dropout(r, 0.1),
            guidance: about.omega(r, 1.5),
        };
        if settings.guidance.is_some() {
            about.needs_null_class(r, settings.label_dropout);
        }
        settings
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> ShortcutDraws {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let [mut level, mut index, mut label] =
            ["step-level", "time-t", "label-dropout"].map(|name| streams.rng(name, step));
        // A whole number below `count` from a draw in (0, 1).
        let below = |unit: f64, count: f64| ((unit * count) as u32).min(count as u32 - 1);
        let halved = (rows as f64 * self.share + 1e-9).floor() as usize;
        let mut levels = self.shares(halved);
        if halved < self.levels {
            // Too few rows for all levels at once: by chance.
            levels.fill_with(|| below(open_unit(&mut level), self.levels as f64));
            levels.sort_unstable_by(|a, b| b.cmp(a));
        }
        levels.resize(rows, self.levels as u32);
        ShortcutDraws {
            noise: streams.normal("noise", step, shape.iter().product()),
            index: levels
                .iter()
                .map(|level| below(open_unit(&mut index), f64::from(1u32 << level)))
                .collect(),
            level: levels,
            halved,
            dropped: (0..rows)
                .map(|row| open_unit(&mut label) < self.label_dropout && row >= halved)
                .collect(),
            dropout: Some(Dropout::new(streams, step)),
        }
    }

    fn loss<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: Batch<B::InnerBackend>,
        draws: &ShortcutDraws,
    ) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (shape, device, halved) = (batch.x.dims(), batch.x.device(), draws.halved);
        let e = samples(&draws.noise, shape, &device);
        let rows = self.terms::<B, N, F>(nets, &batch, e, draws).rows;
        let raw = rows.clone().inner();
        let mut measures = vec![Measure::mean("raw", raw.clone())];
        if halved > 0 {
            measures.push(Measure::mean("halves", raw.clone().narrow(0, 0, halved)));
        }
        if halved < shape[0] {
            measures.push(Measure::mean("velocity", raw.narrow(0, halved, shape[0] - halved)));
        }
        Loss { loss: rows.mean(), measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let levels = reference.number("denoise_timesteps")?.log2() as usize;
        let guided = reference.number("bootstrap_cfg")? != 0.0;
        let settings = Self {
            levels,
            share: 1.0 / reference.number("bootstrap_every")?,
            teacher_decay: 0.999,
            clip: reference.number("clip")?,
            noise_floor: reference.number("noise_floor")?,
            label_dropout: reference.number("class_dropout_prob")?,
            guidance: if guided { Some(reference.number("cfg_scale")?) } else { None },
        };
        let halved = reference.number("num_bootstrap")? as usize;
        // The published code takes the leading samples for both kinds of rows.
        let x: Tensor<B::InnerBackend, 4> = reference.tensor("in.x", device)?;
        let flow = x.dims()[0] - halved;
        let e = reference.tensor::<B::InnerBackend, 4>("in.e", device)?.narrow(0, 0, flow);
        let labels = reference.labels::<B::InnerBackend>(device)?;
        let labels = Tensor::cat(vec![labels.clone().narrow(0, 0, halved), labels.narrow(0, 0, flow)], 0);
        let integers = |name| Ok(reference.host(name)?.iter().map(|k| *k as u32).collect::<Vec<u32>>());
        let mut level = settings.shares(halved);
        level.resize(halved + flow, levels as u32);
        let draws = ShortcutDraws {
            noise: Vec::new(),
            level,
            index: [integers("in.k_bootstrap")?, integers("in.k_flow")?[..flow].to_vec()].concat(),
            halved,
            dropped: [vec![false; halved], reference.dropped()?[..flow].to_vec()].concat(),
            dropout: None,
        };
        let batch = Batch {
            x: Tensor::cat(vec![x.clone().narrow(0, 0, halved), x.narrow(0, 0, flow)], 0),
            labels: Some(labels),
            augment: None,
            precision: crate::precision::Precision::Full,
        };
        let stub = |prefix| {
            let stub = Stub::<B>::new(reference, prefix, Clock::BothTimes, device)?;
            Ok(stub.told(Told::Steps(levels as u32)))
        };
        let net = stub("param")?;
        let averaged = reference.number("bootstrap_ema")? != 0.0;
        let teacher = if averaged { stub("teacher")?.valid() } else { net.valid() };
        let nets = Nets { online: &net, frozen: &net.valid(), teachers: &[teacher] };
        let e = Tensor::cat(vec![reference.tensor("in.e_bootstrap", device)?, e], 0);
        let terms = settings.terms::<B, _, _>(&nets, &batch, e, &draws);
        // Their time runs from noise to data, and so does their velocity.
        let rows = 0..halved + flow;
        reference.found_host("out.dt_base", draws.level.iter().map(|level| f64::from(*level)).collect());
        reference.found_host("out.t", rows.map(|row| 1.0 - draws.step(row)[0]).collect());
        reference.found("out.x_t", terms.z);
        reference.found("out.target", terms.target.neg());
        if let Some(labels) = terms.labels {
            reference.found_host("out.labels", labels.into_data().iter::<f64>().collect());
        }
        reference.found("out.per_sample", terms.rows.clone().inner());
        reference.found_loss(&net, terms.rows.mean());
        Ok(())
    }
}
