//! Terminal velocity matching (TVM, arXiv 2511.19797): the derivative of the map in its end must be the flow's velocity there.
//!
//! With `f(z, t, s) = z + (s − t)·g·F(z, s, t)` and `∂f/∂s = g·(F + (s − t)·∂F/∂s)`, in means over the elements
//! `L = (β·(∂f/∂s − sg g·F⁻(f, s, s)))² + (β·(g·F(z_s', s', s') − [ω·v + (1−ω)·sg F⁻(z_s', s', s' | ∅, β = 1)]))²`,
//! where `F⁻` is an average of `F`, `β = 1/ω` and `g = ω`. The gradient goes through `∂F/∂s`.

use super::{
    About, At, Batch, Cost, Facts, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError, Rows,
    Teacher, TrainBackend, condition,
    derivative::tangent,
    every_nth,
    host::{column, samples},
    labels::{outer, without},
    reference::Stub,
};
use crate::{
    Backbone, Clock, Condition, Dropout, Guidance, Prediction,
    interpolant::{linear_path, per_row, squared_norm},
    random::open_unit,
    time::{TimeLaw, normal_below},
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Tensor, backend::Backend},
};
use meanflow_jvp::{Dual, Taped};
use meanflow_settings::{Flag, Number, Problem, Reader};
use rand_distr::{Distribution, StandardNormal};

/// Settings of terminal velocity matching.
#[derive(Clone, Debug, PartialEq)]
pub struct TvmConfig {
    /// Mean and standard deviation of the logit of the end `s`, cut so that `s ≤ 1 − gap`; also the law of `s'`.
    pub time: [f64; 2],
    /// Mean and standard deviation of the logit of the gap `t − s`.
    pub gap: [f64; 2],
    /// Decay of the average `F⁻`.
    pub teacher_decay: f64,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
    /// Scale of guidance, fixed or in a range.
    pub guidance: Option<TvmGuidance>,
    /// Whether the output is multiplied by the scale, `g = ω`; else `g = 1`.
    pub scaled: bool,
    /// Whether `∂F/∂s` is a constant of the gradient.
    pub detached: bool,
}

/// Scales of guidance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TvmGuidance {
    /// One scale.
    Fixed(f64),
    /// `β = 1/ω` from `1/(u·(max − min) + min)` with `u ~ U(0, 1)`, for networks that take the scale as an input.
    Range([f64; 2]),
}

impl TvmGuidance {
    fn read(r: &mut Reader, about: &About) -> Option<Self> {
        let guidance = r.off_or("guidance", false, |r| match r.has("min") || r.has("max") {
            false => Self::Fixed(r.get("omega", Number::AT_LEAST_ONE, 2.0)),
            true => Self::Range([
                r.get("min", Number::AT_LEAST_ONE, 1.0),
                r.get("max", Number::AT_LEAST_ONE, 3.0),
            ]),
        })?;
        about.needs_classes(r);
        if let Self::Range([min, max]) = guidance {
            if min > max {
                let message = format!("`{}`: scales from {min} to {max}", r.path("guidance"));
                r.problem(Problem::new(r.at("guidance"), message).help("`min` is not above `max`"));
            }
            if about.guided == Some(false) {
                let help = "give one scale, `omega`, or use a network that takes it";
                r.fault("guidance", "this network does not take the scale as an input", Some(help));
            }
        }
        Some(guidance)
    }

    /// `β` for a uniform draw.
    fn beta(self, u: f64) -> f64 {
        match self {
            Self::Fixed(omega) => 1.0 / omega,
            Self::Range([min, max]) => 1.0 / (u * (max - min) + min),
        }
    }
}

/// The random numbers of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct TvmDraws {
    /// Noise `e`, row-major, of both points of a row.
    pub noise: Vec<f32>,
    /// Time of the map's start.
    pub t: Vec<f32>,
    /// Time of its end.
    pub s: Vec<f32>,
    /// Time of the flow-matching term.
    pub flow: Vec<f32>,
    /// `1/ω`, 1 where the label is dropped.
    pub beta: Vec<f32>,
    /// Whether a row loses its label.
    pub dropped: Vec<bool>,
    /// Key of the masks of a network with dropout.
    pub dropout: Option<Dropout>,
}

impl Rows for TvmDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        let chosen = |values: &[f32]| every_nth(values, 1, index, parts);
        Self {
            noise: every_nth(&self.noise, self.noise.len() / self.t.len(), index, parts),
            t: chosen(&self.t),
            s: chosen(&self.s),
            flow: chosen(&self.flow),
            beta: chosen(&self.beta),
            dropped: every_nth(&self.dropped, 1, index, parts),
            dropout: self.dropout.map(|dropout| dropout.part(index, parts)),
        }
    }
}

/// The draws as tensors, in any precision; times and `beta` are `[batch]`.
struct Inputs<B: Backend> {
    e: Tensor<B, 4>,
    t: Tensor<B, 1>,
    s: Tensor<B, 1>,
    flow: Tensor<B, 1>,
    beta: Tensor<B, 1>,
}

/// The loss of each row with what it is made of.
struct Terms<B: TrainBackend> {
    /// `f(z, t, s)`.
    end: Tensor<B, 4>,
    /// `∂f/∂s`.
    slope: Tensor<B, 4>,
    terminal_target: Tensor<B::InnerBackend, 4>,
    flow_target: Tensor<B::InnerBackend, 4>,
    terminal: Tensor<B, 1>,
    flow: Tensor<B, 1>,
}

impl TvmConfig {
    /// `s` of a uniform draw: its logit is normal, cut so that `s ≤ 1 − gap`.
    fn end(&self, u: f64, gap: f64) -> f64 {
        let [mean, std] = self.time;
        let most = (1.0 - gap).ln() - gap.ln();
        sigmoid(mean + std * normal_below((most - mean) / std, u))
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
        let Inputs { e, t, s, flow, beta } = inputs;
        let (net, teacher) = (nets.online, &nets.teachers[0]);
        let classes = net.classes();
        let elements: usize = batch.x.dims()[1..].iter().product();
        let plain = condition(batch, classes);
        let scale = |beta: &Tensor<B::InnerBackend, 1>| {
            net.guided().then(|| Guidance {
                omega: beta.clone().recip(),
                t_min: beta.zeros_like(),
                t_max: beta.ones_like(),
            })
        };
        let labels = plain.labels.clone().zip(classes);
        let condition = Condition {
            labels: labels.map(|(labels, null)| without(labels, null, dropped)),
            guidance: scale(&beta),
            dropout,
            ..plain
        };
        let g = if self.scaled { beta.clone().recip() } else { beta.ones_like() };
        let lift = |a: Tensor<B::InnerBackend, 1>| Tensor::<B, 1>::from_inner(a);
        let over = |a: &Tensor<B::InnerBackend, 1>| per_row(lift(a.clone()));
        // A product, since Burn's reverse mode divides by a scalar in single precision.
        let mean = |a: Tensor<B, 4>| squared_norm(a) * (1.0 / elements as f64);

        // The map, and its derivative in the end s: tangents (0, 1, 0) for (z, s, t).
        let start = linear_path(batch.x.clone(), e.clone(), t.clone());
        let output = net.forward(
            Tensor::from_inner(start.z.clone()),
            lift(s.clone()).with_tangent(tangent::<B, 1>(s.ones_like())),
            lift(t.clone()),
            &outer(condition.clone()),
        );
        let (output, slope) = output.split_tangent();
        let slope = slope.map_or_else(|| output.zeros_like().detach(), Tensor::from_value);
        let slope = if self.detached { slope.detach() } else { slope };
        let h = s.clone() - t;
        let slope = (output.clone() + slope * over(&h)) * over(&g);
        let end = Tensor::from_inner(start.z) + output * over(&(h * g.clone()));
        let target = teacher.forward(end.clone().inner(), s.clone(), s, &condition) * per_row(g.clone());
        let terminal = mean((slope.clone() - Tensor::from_inner(target.clone())) * over(&beta));

        // Flow matching of the guided velocity at another time.
        let path = linear_path(batch.x.clone(), e, flow.clone());
        let own = net.forward(
            Tensor::from_inner(path.z.clone()),
            lift(flow.clone()),
            lift(flow.clone()),
            &outer(condition.clone()),
        );
        let flow_target = match (self.guidance, classes) {
            (Some(_), Some(null)) => {
                let free = Condition {
                    labels: condition.labels.clone().map(|labels| labels.full_like(null as i64)),
                    guidance: scale(&beta.ones_like()),
                    ..condition
                };
                let free = teacher.forward(path.z, flow.clone(), flow, &free);
                let omega = per_row(beta.clone().recip());
                path.v * omega.clone() + free * (-omega + 1.0)
            }
            _ => path.v,
        };
        let error = own * over(&g) - Tensor::from_inner(flow_target.clone());
        let flow = mean(error * over(&beta));
        Terms { end, slope, terminal_target: target, flow_target, terminal, flow }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Facts for TvmConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn prediction(&self) -> Prediction {
        match self.guidance {
            Some(guidance) if self.scaled => Prediction::Scaled { omega: 1.0 / guidance.beta(0.0) },
            _ => Prediction::Average,
        }
    }

    fn teachers(&self, _at: &At) -> Vec<Teacher> {
        vec![Teacher::Ema { decay: self.teacher_decay }]
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "terminal", "flow"]
    }

    fn cost(&self) -> Cost {
        Cost { passes: 2.0, dual: 1.0, taped: true, plain: 1.0 }
    }
}

impl Objective for TvmConfig {
    const NAME: &'static str = "tvm";
    const ABOUT: &'static str =
        "terminal velocity matching, gradient through the derivative (arXiv 2511.19797)";

    type Tangents = Taped;
    type Draws = TvmDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let law = |r: &mut Reader, key, mean| {
            let node = r.node(key);
            r.nested(key, node, |r| [r.get("mean", Number::ANY, mean), r.get("std", Number::POSITIVE, 1.0)])
        };
        Self {
            time: law(r, "time", -0.4),
            gap: law(r, "gap", -0.8),
            teacher_decay: r.get("teacher-decay", Number::BELOW_ONE, 0.99),
            label_dropout: about.label_dropout(r, 0.1),
            guidance: TvmGuidance::read(r, about),
            scaled: r.get("scaled", Flag, true),
            detached: r.get("detached", Flag, false),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> TvmDraws {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let [mut gap, mut end, mut flow, mut label, mut scale] =
            ["time-gap", "time-r", "time-t", "label-dropout", "guidance-scale"]
                .map(|name| streams.rng(name, step));
        let mut draws = TvmDraws {
            noise: streams.normal("noise", step, shape.iter().product()),
            t: Vec::with_capacity(rows),
            s: Vec::with_capacity(rows),
            flow: Vec::with_capacity(rows),
            beta: Vec::with_capacity(rows),
            dropped: (0..rows).map(|_| open_unit(&mut label) < self.label_dropout).collect(),
            dropout: Some(Dropout::new(streams, step)),
        };
        for row in 0..rows {
            let n: f64 = StandardNormal.sample(&mut gap);
            let gap = sigmoid(self.gap[0] + self.gap[1] * n);
            let s = self.end(open_unit(&mut end), gap);
            draws.t.push((s + gap).min(1.0) as f32);
            draws.s.push(s as f32);
            let law = TimeLaw::LogitNormal { mean: self.time[0], std: self.time[1] };
            draws.flow.push(law.draw(&mut flow) as f32);
            let u = open_unit(&mut scale);
            let beta = self.guidance.filter(|_| !draws.dropped[row]).map_or(1.0, |g| g.beta(u));
            draws.beta.push(beta as f32);
        }
        draws
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &TvmDraws) -> Loss<B>
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
            s: column(&draws.s),
            flow: column(&draws.flow),
            beta: column(&draws.beta),
        };
        let Terms { terminal, flow, .. } =
            self.terms::<B, N, F>(nets, &batch, inputs, &draws.dropped, draws.dropout);
        let rows = terminal.clone() + flow.clone();
        let measures = vec![
            Measure::mean("raw", rows.clone().inner()),
            Measure::mean("terminal", terminal.inner()),
            Measure::mean("flow", flow.inner()),
        ];
        Loss { loss: rows.mean(), measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let guidance = match (reference.optional("cfg")?, reference.optional("max_cfg")?) {
            (Some(omega), _) => TvmGuidance::Fixed(omega),
            (None, Some(max)) => TvmGuidance::Range([reference.number("min_cfg")?, max]),
            (None, None) => return Err(ReferenceError::Constant("cfg".to_owned())),
        };
        let law = |mean: &str, std: &str| Ok([reference.number(mean)?, reference.number(std)?]);
        let settings = Self {
            time: law("s_P_mean", "s_P_std")?,
            gap: law("gap_P_mean", "gap_P_std")?,
            teacher_decay: 0.99,
            label_dropout: reference.number("label_dropout")?,
            guidance: Some(guidance),
            scaled: reference.flag("do_scale_param")?,
            detached: reference.flag("detach_jvp")?,
        };
        let dropped = reference.dropped()?;
        let gap = reference.host("in.normal_gap")?;
        let gap: Vec<f64> = gap.iter().map(|n| sigmoid(settings.gap[0] + settings.gap[1] * n)).collect();
        let ends = reference.host("in.u_s")?;
        let ends: Vec<f64> = ends.iter().zip(&gap).map(|(u, gap)| settings.end(*u, *gap)).collect();
        let starts = ends.iter().zip(&gap).map(|(s, gap)| (s + gap).min(1.0)).collect();
        let flow = reference.host("in.normal_s_prime")?;
        let flow = flow.iter().map(|n| sigmoid(settings.time[0] + settings.time[1] * n)).collect();
        let uniform = reference.host("in.u_beta").unwrap_or_else(|_| vec![0.0; dropped.len()]);
        let beta = uniform.iter().zip(&dropped);
        let beta = beta.map(|(u, dropped)| if *dropped { 1.0 } else { guidance.beta(*u) }).collect();
        for (name, values) in [("in.s", ends), ("in.t", starts), ("in.s_prime", flow), ("in.beta", beta)] {
            reference.found_host(name, values);
        }
        let stub = Stub::<B>::new(reference, "param", Clock::TimeAndGap, device)?;
        let teacher = Stub::<B>::new(reference, "teacher", Clock::TimeAndGap, device)?.valid();
        let column = |name| reference.column::<B::InnerBackend>(name, device);
        let inputs = Inputs {
            e: reference.tensor("in.e", device)?,
            t: column("in.t")?,
            s: column("in.s")?,
            flow: column("in.s_prime")?,
            beta: column("in.beta")?,
        };
        let batch = Batch {
            x: reference.tensor("in.x", device)?,
            labels: Some(reference.labels(device)?),
            augment: None,
            precision: crate::precision::Precision::Full,
        };
        let nets = Nets { online: &stub, frozen: &stub.valid(), teachers: &[teacher] };
        let terms = settings.terms::<B, _, _>(&nets, &batch, inputs, &dropped, None);
        let rows = terms.terminal.clone() + terms.flow.clone();
        reference.found("out.f", terms.end.inner());
        reference.found("out.df_ds", terms.slope.inner());
        reference.found("out.terminal_target", terms.terminal_target);
        reference.found("out.fm_target", terms.flow_target);
        reference.found("out.terminal", terms.terminal.inner());
        reference.found("out.fm", terms.flow.inner());
        reference.found("out.per_sample", rows.clone().inner());
        reference.found_loss(&stub, rows.mean());
        Ok(())
    }
}
