//! SoFlow (arXiv 2512.15657): a solution function learned from its value at a nearer time, without a derivative.
//!
//! `f(z, t, s) = z + (s − t)·u(z, s, t)`. A share of the rows takes the velocity loss at `s = t`,
//! `m/(m + eps)^p` with `m` the mean square of `u(z, t, t) − v_g`; the others the consistency loss between `t` and a middle time
//! `l = t + (s − t)·ρ(k)`, `z_l = z + (l − t)·v_g`: with `q = sg[(f(z, t, s) − f(z_l, l, s))/(t − l)]` it is
//! `−⟨u(z, s, t), q⟩/(‖q‖² + eps)^p` in means over the elements, a linear form with the gradient of the weighted square.

use super::{
    About, At, Batch, Cost, Facts, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError, Rows,
    TrainBackend, condition, every_nth,
    host::{column, samples},
    labels::{outer, without},
    reference::Stub,
};
use crate::{
    Backbone, Clock, Condition, Dropout,
    interpolant::{linear_path, per_row, squared_norm},
    random::open_unit,
    time::TimeLaw,
    weight::Weight,
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Tensor, TensorData, backend::Backend},
};
use meanflow_jvp::Untaped;
use meanflow_settings::{Number, Pair, Problem, Reader};

/// Settings of SoFlow.
#[derive(Clone, Debug, PartialEq)]
pub struct SoflowConfig {
    /// Share of the rows that take the velocity loss, rounded down to rows.
    pub velocity_share: f64,
    /// Law of the time of the velocity loss.
    pub time_v: TimeLaw,
    /// Law of the later time `t` of the consistency loss.
    pub time: TimeLaw,
    /// Law of its target time `s`, which is cut below `t`.
    pub time_s: TimeLaw,
    /// Distance to the middle time as a share of `t − s`, at the first and the last step; exponential in between.
    pub rho: [f64; 2],
    /// Power and constant of the weights; means over the elements, not sums.
    pub weight: Weight,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
    /// Guided velocity as target.
    pub guidance: Option<SoflowGuidance>,
}

/// `v_g = mix·(v + γ(t)·(ω−1)·(v − v_∅)) + (1−mix)·v_y`, the velocities the network's own without gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoflowGuidance {
    /// Scale.
    pub omega: f64,
    /// Share of the guided velocity, the rest is the network's own conditional one.
    pub mix: f64,
    /// Time from which the scale fades: `γ = 1 − exp(−0.025·d/(1−d))`, `d = (1−t)/(1−decay)`; 1 below.
    pub decay: f64,
}

impl SoflowGuidance {
    fn gamma(&self, t: f64) -> f64 {
        if t <= self.decay {
            return 1.0;
        }
        let d = ((1.0 - t) / (1.0 - self.decay)).clamp(0.0, 1.0 - 1e-6);
        1.0 - (-0.025 * d / (1.0 - d)).exp()
    }

    fn read(r: &mut Reader, about: &About) -> Option<Self> {
        let guidance = r.off_or("guidance", false, |r| Self {
            omega: r.get("omega", Number::AT_LEAST_ONE, 3.0),
            mix: r.get("mix", Number::UNIT, 0.25),
            decay: r.get("decay", Number::UNIT, 0.8),
        });
        if guidance.is_some() {
            about.needs_classes(r);
        }
        guidance
    }
}

/// The random numbers of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct SoflowDraws {
    /// Noise `e`, row-major.
    pub noise: Vec<f32>,
    /// Times; the first `velocity` rows have `s = l = t`.
    pub t: Vec<f32>,
    /// Target times.
    pub s: Vec<f32>,
    /// Middle times.
    pub l: Vec<f32>,
    /// Rows that take the velocity loss; they lead.
    pub velocity: usize,
    /// Whether a row loses its label.
    pub dropped: Vec<bool>,
    /// Key of the masks of a network with dropout, shared by all passes.
    pub dropout: Option<Dropout>,
}

impl Rows for SoflowDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        let chosen = |values: &[f32]| every_nth(values, 1, index, parts);
        Self {
            noise: every_nth(&self.noise, self.noise.len() / self.t.len(), index, parts),
            t: chosen(&self.t),
            s: chosen(&self.s),
            l: chosen(&self.l),
            velocity: (index..self.velocity).step_by(parts).len(),
            dropped: every_nth(&self.dropped, 1, index, parts),
            dropout: self.dropout.map(|dropout| dropout.part(index, parts)),
        }
    }
}

/// The draws as tensors, in any precision.
struct SoflowInputs<B: Backend> {
    /// Noise.
    e: Tensor<B, 4>,
    /// Times, `[batch]`.
    t: Tensor<B, 1>,
    /// Target times, `[batch]`.
    s: Tensor<B, 1>,
    /// Middle times, `[batch]`.
    l: Tensor<B, 1>,
}

/// The least distance of two times of the consistency loss.
const GAP: f64 = 1e-4;

impl Facts for SoflowConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn depends_on_length(&self) -> bool {
        self.rho[0] != self.rho[1]
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "velocity", "consistency"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(1.0 - self.velocity_share)
    }
}

impl Objective for SoflowConfig {
    const NAME: &'static str = "soflow";
    const ABOUT: &'static str = "a solution function from its value at a nearer time (arXiv 2512.15657)";

    type Tangents = Untaped;
    type Draws = SoflowDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let law = |mean, std| TimeLaw::LogitNormal { mean, std };
        let settings = Self {
            velocity_share: r.get("velocity-share", Number::UNIT, 0.75),
            time_v: TimeLaw::read(r, "time-v", law(-0.2, 1.0)),
            time: TimeLaw::read(r, "time", law(0.2, 0.8)),
            time_s: TimeLaw::read(r, "time-s", law(-1.0, 0.8)),
            rho: r.get("rho", Pair(Number::UNIT), [0.1, 0.002]),
            weight: Weight::read(r, Weight { p: 1.0, eps: 0.01 }),
            label_dropout: about.label_dropout(r, 0.1),
            guidance: SoflowGuidance::read(r, about),
        };
        if settings.rho.contains(&0.0) {
            let message = format!("`{}`: a distance of 0 leaves nothing to learn from", r.path("rho"));
            r.problem(Problem::new(r.at("rho"), message));
        }
        settings
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> SoflowDraws {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let velocity = (rows as f64 * self.velocity_share + 1e-9).floor() as usize;
        let rho = self.rho(at.progress());
        let [mut early, mut late, mut label] =
            ["time-t", "time-r", "label-dropout"].map(|name| streams.rng(name, step));
        let mut draws = SoflowDraws {
            noise: streams.normal("noise", step, shape.iter().product()),
            t: Vec::with_capacity(rows),
            s: Vec::with_capacity(rows),
            l: Vec::with_capacity(rows),
            velocity,
            dropped: (0..rows).map(|_| open_unit(&mut label) < self.label_dropout).collect(),
            dropout: Some(Dropout::new(streams, step)),
        };
        for row in 0..rows {
            let [t, s, l] = if row < velocity {
                [self.time_v.draw(&mut early); 3]
            } else {
                let t = self.time.draw(&mut early).max(GAP);
                let s = self.time_s.draw(&mut late).min(t - GAP);
                [t, s, middle(t, s, rho)]
            };
            draws.t.push(t as f32);
            draws.s.push(s as f32);
            draws.l.push(l as f32);
        }
        draws
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &SoflowDraws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (shape, device) = (batch.x.dims(), batch.x.device());
        let column = |values: &[f32]| column(values, &device);
        let inputs = SoflowInputs {
            e: samples(&draws.noise, shape, &device),
            t: column(&draws.t),
            s: column(&draws.s),
            l: column(&draws.l),
        };
        let times: Vec<f64> = draws.t.iter().map(|&t| f64::from(t)).collect();
        self.losses::<B, N, F>(nets, &batch, draws, &times, inputs).loss
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let conditional = reference.flag("conditional")?;
        let omega = reference.number("cfg_scale")?;
        let mix = reference.number("mix_ratio")?;
        let law = TimeLaw::Uniform;
        let rho = [reference.number("l_init_ratio")?, reference.number("l_end_ratio")?];
        let settings = Self {
            velocity_share: reference.number("velocity_loss_ratio")?,
            // The file gives the times.
            time_v: law,
            time: law,
            time_s: law,
            rho,
            weight: Weight { p: reference.number("p")?, eps: reference.number("eps")? },
            label_dropout: 0.0,
            guidance: conditional.then_some(SoflowGuidance {
                omega,
                mix,
                decay: reference.number("cfg_decay_time")?,
            }),
        };
        let (t, s) = (reference.host("in.t")?, reference.host("in.s")?);
        let velocity = reference.number("num_velocity")? as usize;
        let rho = settings.rho(reference.number("progress")?);
        let near = |row: usize| if row < velocity { t[row] } else { middle(t[row], s[row], rho) };
        reference.found_host("in.l", (0..t.len()).map(near).collect());
        let draws = SoflowDraws {
            noise: Vec::new(),
            t: Vec::new(),
            s: Vec::new(),
            l: Vec::new(),
            velocity,
            dropped: reference.dropped()?,
            dropout: None,
        };
        let column = |name| reference.column::<B::InnerBackend>(name, device);
        let inputs = SoflowInputs {
            e: reference.tensor("in.e", device)?,
            t: column("in.t")?,
            s: column("in.s")?,
            l: column("in.l")?,
        };
        let labels = reference.labels(device)?;
        let batch = Batch {
            x: reference.tensor("in.x", device)?,
            // Without classes the reference tells its network the null class.
            labels: Some(if conditional { labels } else { labels.full_like(3) }),
            augment: None,
            precision: crate::precision::Precision::Full,
        };
        let stub = Stub::<B>::new(reference, "param", Clock::BothTimes, device)?;
        let nets = Nets { online: &stub, frozen: &stub.valid(), teachers: &[] };
        let out = settings.losses::<B, _, _>(&nets, &batch, &draws, &t, inputs);
        reference.found("out.v_guided", out.field);
        if let Some(square) = out.loss.measure("consistency") {
            reference.found("out.consistency_per_sample", square.clone());
            reference.found("out.consistency_loss", square.mean());
        }
        if let Some(quotient) = out.quotient {
            let elements = quotient.dims()[1..].iter().product::<usize>() as f64;
            reference.found("out.consistency_mse", (squared_norm(quotient.clone()) / elements).mean());
            reference.found("out.quotient", quotient);
        }
        if let Some(velocity) = out.velocity {
            reference.found("out.velocity_loss", velocity);
        }
        if let Some(error) = out.velocity_error {
            reference.found("out.velocity_mse", error.mean());
        }
        reference.found_loss(&stub, out.loss.loss);
        Ok(())
    }
}

/// `l = min(t + (s − t)·ρ, t − 1e-4)`.
fn middle(t: f64, s: f64, rho: f64) -> f64 {
    (t + (s - t) * rho).min(t - GAP)
}

/// The loss with what it is made of.
struct SoflowLosses<B: TrainBackend> {
    loss: Loss<B>,
    /// `v_g` of all rows.
    field: Tensor<B::InnerBackend, 4>,
    /// `q` of the consistency rows.
    quotient: Option<Tensor<B::InnerBackend, 4>>,
    /// The velocity loss, the mean over its rows.
    velocity: Option<Tensor<B::InnerBackend, 1>>,
    /// The mean square of the velocity rows' errors.
    velocity_error: Option<Tensor<B::InnerBackend, 1>>,
}

impl SoflowConfig {
    /// The distance to the middle time at a share of the run.
    fn rho(&self, progress: f64) -> f64 {
        let [first, last] = self.rho;
        first * (last / first).powf(progress)
    }

    /// The loss with what it is made of; `times` are those of `inputs` on the host.
    fn losses<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: &Batch<B::InnerBackend>,
        draws: &SoflowDraws,
        times: &[f64],
        inputs: SoflowInputs<B::InnerBackend>,
    ) -> SoflowLosses<B>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let SoflowInputs { e, t, s, l } = inputs;
        let (net, classes) = (nets.online, nets.online.classes());
        let (rows, velocity) = (times.len(), draws.velocity);
        let elements: usize = batch.x.dims()[1..].iter().product();
        let condition = Condition { dropout: draws.dropout, ..condition(batch, classes) };
        let dropped = Condition {
            labels: condition
                .labels
                .clone()
                .zip(classes)
                .map(|(labels, null)| without(labels, null, &draws.dropped)),
            ..condition.clone()
        };
        let path = linear_path(batch.x.clone(), e, t.clone());
        let (z, v) = (path.z, path.v);
        let field = match &self.guidance {
            Some(guidance) => guidance.field(nets.frozen, [&z, &v], &t, times, draws, &condition, &dropped),
            None => v,
        };
        // A product, since Burn's reverse mode divides by a scalar in single precision.
        let mean = |squares: Tensor<B, 1>| squares * (1.0 / elements as f64);
        let (mut total, mut raw) = (None, Vec::new());
        let mut add = |loss: Tensor<B, 1>, share: f64| {
            let loss = loss * share;
            total = Some(match total.take() {
                Some(sum) => sum + loss,
                None => loss,
            });
        };
        let (mut velocity_loss, mut velocity_error) = (None, None);
        if velocity > 0 {
            let at = Tensor::from_inner(t.clone().narrow(0, 0, velocity));
            let part =
                |a: &Tensor<B::InnerBackend, 4>| Tensor::<B, 4>::from_inner(a.clone().narrow(0, 0, velocity));
            let u = net.forward(part(&z), at.clone(), at, &outer(dropped.rows(0, velocity)));
            let error = mean(squared_norm(u - part(&field)));
            raw.push(error.clone().inner());
            velocity_error = Some(error.clone().inner());
            let loss = self.weight.loss(error);
            velocity_loss = Some(loss.clone().inner());
            add(loss, velocity as f64 / rows as f64);
        }
        let (mut quotient, mut consistency) = (None, None);
        let others = rows - velocity;
        if others > 0 {
            let rest = |a: &Tensor<B::InnerBackend, 1>| a.clone().narrow(0, velocity, others);
            let (t, s, l) = (rest(&t), rest(&s), rest(&l));
            let part = |a: &Tensor<B::InnerBackend, 4>| a.clone().narrow(0, velocity, others);
            let condition = dropped.rows(velocity, others);
            let z = part(&z);
            let u = net.forward(
                Tensor::from_inner(z.clone()),
                Tensor::from_inner(s.clone()),
                Tensor::from_inner(t.clone()),
                &outer(condition.clone()),
            );
            let near = z.clone() + part(&field) * per_row(l.clone() - t.clone());
            let target = nets.frozen.forward(near.clone(), s.clone(), l.clone(), &condition);
            let step = |z: Tensor<_, 4>, u: Tensor<_, 4>, from: &Tensor<_, 1>| {
                z + u * per_row(s.clone() - from.clone())
            };
            let difference = step(z, u.clone().inner(), &t) - step(near, target, &l);
            let q = difference / per_row(t - l);
            let square = squared_norm(q.clone()) / elements as f64;
            let scale = (square.clone() + self.weight.eps).powf_scalar(self.weight.p);
            // The sign of s − t is −1.
            let form =
                (u * Tensor::from_inner(q.clone())).reshape([others, elements]).sum_dim(1).reshape([others]);
            let loss = mean(form).neg() / Tensor::from_inner(scale);
            consistency = Some(loss.clone().inner());
            raw.push(square);
            quotient = Some(q);
            add(loss.mean(), others as f64 / rows as f64);
        }
        let mut measures = vec![Measure::mean("raw", Tensor::cat(raw, 0))];
        measures.extend(velocity_error.clone().map(|error| Measure::mean("velocity", error)));
        measures.extend(consistency.map(|loss| Measure::mean("consistency", loss)));
        SoflowLosses {
            loss: Loss { loss: total.expect("a batch has rows"), measures },
            field,
            quotient,
            velocity: velocity_loss,
            velocity_error,
        }
    }
}

impl SoflowGuidance {
    /// `v_g` of every row. The network's own conditional velocity sees dropped labels on velocity rows and the true ones on
    /// consistency rows; dropped rows keep `v`.
    #[allow(clippy::too_many_arguments)] // a private step of the loss
    fn field<B: Backend, F: Backbone<B>>(
        &self,
        net: &F,
        [z, v]: [&Tensor<B, 4>; 2],
        t: &Tensor<B, 1>,
        times: &[f64],
        draws: &SoflowDraws,
        condition: &Condition<B>,
        dropped: &Condition<B>,
    ) -> Tensor<B, 4> {
        let (rows, device) = (times.len(), z.device());
        let classes = net.classes().expect("guidance needs a class-conditional network");
        let labels = condition.labels.clone().expect("guidance needs labels");
        let null = labels.full_like(classes as i64);
        let velocity = draws.velocity;
        let mixed = [
            (velocity > 0).then(|| dropped.rows(0, velocity)),
            (velocity < rows).then(|| condition.rows(velocity, rows - velocity)),
        ];
        let own = Tensor::cat(mixed.into_iter().flatten().filter_map(|part| part.labels).collect(), 0);
        let twice = |t: &Tensor<B, 1>| Tensor::cat(vec![t.clone(), t.clone()], 0);
        let both = net.forward(
            Tensor::cat(vec![z.clone(), z.clone()], 0),
            twice(t),
            twice(t),
            &condition.twice(Tensor::cat(vec![null, own], 0)),
        );
        let (null, own) = (both.clone().narrow(0, 0, rows), both.narrow(0, rows, rows));
        let column = |f: &dyn Fn(usize) -> f64| {
            let values: Vec<f64> = (0..rows).map(f).collect();
            per_row(Tensor::from_data(TensorData::new(values, [rows]), (&device, z.dtype())))
        };
        let excess = column(&|row| self.gamma(times[row]) * (self.omega - 1.0));
        let guided = v.clone() + (v.clone() - null) * excess;
        let field = guided * self.mix + own * (1.0 - self.mix);
        let keeps = column(&|row| if draws.dropped[row] { 1.0 } else { 0.0 });
        v.clone() * keeps.clone() + field * (-keeps + 1.0)
    }
}
