//! AlphaFlow (arXiv 2510.20771): from trajectory flow matching to MeanFlow over the run.
//!
//! With `s = α·r + (1−α)·t` and `z_s = z − (t−s)·ṽ` the rows with `r ≠ t` regress `u(z, r, t)` to
//! `sg clip(α·ṽ + (1−α)·u(z_s, r, s))` with the weight `α/(m + eps)`, `m` the mean square of the error; at `α = 0` to MeanFlow's
//! target `ṽ − (t−r)·du/dt` with the weight `1/(m + eps)`, which the former tends to. Rows with `r = t` regress to `ṽ`, the velocity or
//! the guided one.

use super::{
    About, At, Batch, Cost, Draws, Facts, GuidanceConfig, Learns, Loss, Measure, Nets, Objective, Reference,
    ReferenceError, Rows, TrainBackend, condition,
    derivative::{off_tape, tangent},
    host::{column, samples},
    labels::{outer, without},
    reference::{Constant, Stub},
    residual::Derivative,
};
use crate::{
    Backbone, Clock, Condition,
    interpolant::{linear_path, per_row, squared_norm},
    time::{Pairing, Split, TimeLaw, TimeSampler, Times},
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Tensor, TensorData, backend::Backend},
};
use meanflow_jvp::{Dual, Untaped};
use meanflow_settings::{Number, Or, Pair, Problem, Reader};

/// Settings of AlphaFlow.
#[derive(Clone, Debug, PartialEq)]
pub struct AlphaflowConfig {
    /// Law of the two times and the share of rows with `r ≠ t`.
    pub times: TimeSampler,
    /// How α falls from 1 to 0.
    pub alpha: AlphaSchedule,
    /// Constant of the weight.
    pub eps: f64,
    /// Bound of the discrete target, in absolute value.
    pub clip: Option<f64>,
    /// Share of labels replaced by the null class, where guidance acts.
    pub label_dropout: f64,
    /// Guided velocity as target; it acts strictly inside the interval.
    pub guidance: Option<GuidanceConfig>,
}

/// `α = 1 − sigmoid(γ·((p − a)/(b − a) − 1/2))` at the share `p` of the run, pressed to 0 below `eta` and to 1 above `1 − eta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlphaSchedule {
    /// `a` and `b`: where α begins to fall and where it is down, as shares of the run.
    pub between: [f64; 2],
    /// Steepness.
    pub gamma: f64,
    /// What counts as 0.
    pub eta: f64,
}

impl AlphaSchedule {
    /// α at a share of the run.
    pub fn at(&self, progress: f64) -> f64 {
        let [from, to] = self.between;
        let x = self.gamma * ((progress - from) / (to - from) - 0.5);
        let alpha = 1.0 / (1.0 + x.exp());
        match alpha {
            low if low < self.eta => 0.0,
            high if high > 1.0 - self.eta => 1.0,
            alpha => alpha,
        }
    }

    fn read(r: &mut Reader) -> Self {
        let node = r.node("alpha");
        r.nested("alpha", node, |r| {
            let between = r.get("between", Pair(Number::UNIT), [0.0, 1.0]);
            if between[0] >= between[1] {
                let message =
                    format!("`{}`: α falls from 1 to 0 from the first to the second", r.path("between"));
                r.problem(Problem::new(r.at("between"), message).help("the first must be below the second"));
            }
            Self {
                between,
                gamma: r.get("gamma", Number::POSITIVE, 25.0),
                eta: r.get(
                    "eta",
                    Number::new(|x| (0.0..0.5).contains(&x), "be at least 0 and below 0.5"),
                    0.005,
                ),
            }
        })
    }
}

/// The random numbers of a step, and its α.
#[derive(Clone, Debug, PartialEq)]
pub struct AlphaflowDraws {
    /// Noise, times, dropped labels.
    pub draws: Draws,
    /// α of this step.
    pub alpha: f64,
}

impl Rows for AlphaflowDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        Self { draws: self.draws.part(index, parts), alpha: self.alpha }
    }
}

/// The loss of each row with what it is made of.
struct Terms<B: TrainBackend> {
    /// `ṽ`.
    field: Tensor<B::InnerBackend, 4>,
    target: Tensor<B::InnerBackend, 4>,
    u: Tensor<B, 4>,
    /// `m` of each row.
    error: Tensor<B::InnerBackend, 1>,
    rows: Tensor<B, 1>,
}

impl<B: TrainBackend> Terms<B> {
    /// `m = ‖u − ṽ‖² + 2⟨ṽ − target, u⟩ + …` in means: trajectory flow matching, and trajectory consistency.
    fn halves(&self) -> [Tensor<B::InnerBackend, 1>; 2] {
        let (u, shape) = (self.u.clone().inner(), self.u.dims());
        let elements = shape[1..].iter().product::<usize>();
        let product = (self.field.clone() - self.target.clone()) * u.clone();
        let product = product.reshape([shape[0], elements]).mean_dim(1).reshape([shape[0]]) * 2.0;
        [squared_norm(u - self.field.clone()) / elements as f64, product]
    }
}

impl AlphaflowConfig {
    /// Whether the velocity is guided at these times.
    fn acts(&self, t: f64) -> bool {
        self.guidance.is_none_or(|guidance| guidance.interval[0] < t && t < guidance.interval[1])
    }

    fn terms<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: &Batch<B::InnerBackend>,
        inputs: Inputs<B::InnerBackend>,
        draws: &AlphaflowDraws,
    ) -> Terms<B>
    where
        B: TrainBackend,
        N: Backbone<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Inputs { e, t, r, times } = inputs;
        let AlphaflowDraws { draws, alpha } = draws;
        let (net, classes, alpha) = (nets.online, nets.online.classes(), *alpha);
        let (rows, still) = (times.len(), draws.times.still);
        let moved = rows - still;
        let elements: usize = batch.x.dims()[1..].iter().product();
        let plain = condition(batch, classes);
        // Outside guidance's interval no label is dropped.
        let dropped: Vec<bool> = times.iter().zip(&draws.dropped).map(|(t, d)| *d && self.acts(*t)).collect();
        let labels = plain.labels.clone().zip(classes).map(|(labels, null)| without(labels, null, &dropped));
        let condition = Condition { labels, ..plain };
        let path = linear_path(batch.x.clone(), e, t.clone());
        let (z, v) = (path.z, path.v);
        let field = match self.guidance {
            Some(guidance) if classes.is_some() => {
                // It acts inside the interval, not at its ends.
                let outside: Vec<bool> = times.iter().map(|t| !self.acts(*t)).collect();
                guidance.field(nets.frozen, z.clone(), v.clone(), &times, &condition, &outside)
            }
            _ => v.clone(),
        };
        let condition = Condition { dropout: draws.dropout, ..condition };

        let lift = |a: &Tensor<B::InnerBackend, 1>| Tensor::<B, 1>::from_inner(a.clone());
        let (mut outputs, mut targets) = (Vec::new(), Vec::new());
        if still > 0 {
            let part = |a: &Tensor<B::InnerBackend, 4>| a.clone().narrow(0, 0, still);
            let t = lift(&t.clone().narrow(0, 0, still));
            let condition = outer(condition.rows(0, still));
            outputs.push(net.forward(Tensor::from_inner(part(&z)), t.clone(), t, &condition));
            targets.push(part(&field));
        }
        if moved > 0 {
            let part = |a: &Tensor<B::InnerBackend, 4>| a.clone().narrow(0, still, moved);
            let (z, field) = (part(&z), part(&field));
            let [t, r] = [t, r].map(|time| time.narrow(0, still, moved));
            let condition = condition.rows(still, moved);
            if alpha == 0.0 {
                // MeanFlow: tangents (ṽ, 0, 1) for (z, r, t).
                let u = net.forward(
                    Tensor::from_inner(z.clone()).with_tangent(tangent::<B, 4>(field.clone())),
                    lift(&r),
                    lift(&t).with_tangent(tangent::<B, 1>(t.ones_like())),
                    &outer(condition),
                );
                let (u, dudt) = u.split_tangent();
                let dudt = dudt.map_or_else(|| z.zeros_like(), off_tape::<B, 4>);
                outputs.push(u);
                targets.push(field - dudt * per_row(t - r));
            } else {
                let u =
                    net.forward(Tensor::from_inner(z.clone()), lift(&r), lift(&t), &outer(condition.clone()));
                let s = r.clone() * alpha + t.clone() * (1.0 - alpha);
                let near = z - field.clone() * per_row(t - s.clone());
                let target = field * alpha + nets.frozen.forward(near, r, s, &condition) * (1.0 - alpha);
                outputs.push(u);
                targets.push(match self.clip {
                    Some(most) => target.clamp(-most, most),
                    None => target,
                });
            }
        }
        let (u, target) = (Tensor::cat(outputs, 0), Tensor::cat(targets, 0));
        let weights: Vec<f64> =
            (0..rows).map(|row| if row < still || alpha == 0.0 { 1.0 } else { alpha }).collect();
        let weights = Tensor::from_data(TensorData::new(weights, [rows]), (&z.device(), z.dtype()));
        // A product, since Burn's reverse mode divides by a scalar in single precision.
        let error = squared_norm(u.clone() - Tensor::from_inner(target.clone())) * (1.0 / elements as f64);
        let plain = error.clone().inner();
        let rows = error * Tensor::from_inner(weights / (plain.clone() + self.eps));
        Terms { field, target, u, error: plain, rows }
    }
}

/// Noise and times as tensors, in any precision, and `t` on the host.
struct Inputs<B: Backend> {
    e: Tensor<B, 4>,
    t: Tensor<B, 1>,
    r: Tensor<B, 1>,
    times: Vec<f64>,
}

impl Facts for AlphaflowConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn depends_on_length(&self) -> bool {
        true
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "flow", "consistency", "alpha"]
    }

    fn cost(&self) -> Cost {
        Derivative::Jvp.cost().on(self.times.share)
    }
}

impl Objective for AlphaflowConfig {
    const NAME: &'static str = "alphaflow";
    const ABOUT: &'static str = "from trajectory flow matching to MeanFlow over the run (arXiv 2510.20771)";

    type Tangents = Untaped;
    type Draws = AlphaflowDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let settings = Self {
            times: TimeSampler::read(r, 0.5),
            alpha: AlphaSchedule::read(r),
            eps: r.get("eps", Number::POSITIVE, 1e-3),
            clip: r.get("clip", Or("off", Number::POSITIVE), None),
            label_dropout: about.label_dropout(r, 0.1),
            guidance: GuidanceConfig::read(r, about),
        };
        if settings.guidance.is_some() {
            about.needs_null_class(r, settings.label_dropout);
        }
        settings
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> AlphaflowDraws {
        let draws = Draws::new(at, shape, &self.times, self.label_dropout);
        AlphaflowDraws { draws, alpha: self.alpha.at(at.progress()) }
    }

    fn loss<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: Batch<B::InnerBackend>,
        draws: &AlphaflowDraws,
    ) -> Loss<B>
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
            times: times.t.iter().map(|&t| f64::from(t)).collect(),
        };
        let terms = self.terms::<B, N, F>(nets, &batch, inputs, draws);
        let [flow, consistency] = terms.halves();
        let measures = vec![
            Measure::mean("raw", terms.error),
            Measure::mean("flow", flow),
            Measure::mean("consistency", consistency),
            Measure::mean("alpha", Tensor::full([shape[0]], draws.alpha, &device)),
        ];
        Loss { loss: terms.rows.mean(), measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let end = reference.number("alpha_schedule.change_end_steps")?;
        let begin = reference.number("alpha_schedule.change_init_steps")?;
        let settings = Self {
            // The file gives the times.
            times: TimeSampler {
                t: TimeLaw::Uniform,
                r: TimeLaw::Uniform,
                pairing: Pairing::V0,
                share: 1.0 - reference.number("ratio_fm")?,
                split: Split::Prefix,
            },
            alpha: AlphaSchedule {
                between: [begin / end, 1.0],
                gamma: reference.number("alpha_schedule.gamma")?,
                eta: reference.number("alpha_schedule.clamp_value")?,
            },
            eps: reference.number("adaptive_eps")?,
            clip: reference.optional("clamp_target")?,
            label_dropout: reference.number("label_dropout")?,
            guidance: Some(GuidanceConfig {
                omega: reference.number("omega")?,
                kappa: reference.number("kappa")?,
                interval: [reference.number("t_min")?, reference.number("t_max")?],
            }),
        };
        // Other schedules than the paper's are not here; their value will do.
        let sigmoid = Constant::Text("sigmoid".to_owned());
        let alpha = match reference.constants.get("alpha_schedule.scheduler") == Some(&sigmoid) {
            true => settings.alpha.at(reference.number("step")? / end),
            false => reference.number("alpha")?,
        };
        let still = reference.number("num_fm")? as usize;
        let draws = AlphaflowDraws {
            draws: Draws {
                noise: Vec::new(),
                times: Times { t: Vec::new(), r: Vec::new(), still },
                dropped: reference.dropped()?,
                dropout: None,
                guidance: None,
            },
            alpha,
        };
        let column = |name| reference.column::<B::InnerBackend>(name, device);
        let inputs = Inputs {
            e: reference.tensor("in.e", device)?,
            t: column("in.t")?,
            r: column("in.r")?,
            times: reference.host("in.t")?,
        };
        let batch = reference.batch(device)?;
        let stub = Stub::<B>::new(reference, "param", Clock::BothTimes, device)?;
        let nets = Nets { online: &stub, frozen: &stub.valid(), teachers: &[] };
        let terms = settings.terms::<B, _, _>(&nets, &batch, inputs, &draws);
        let [flow, consistency] = terms.halves();
        reference.found("out.v_guided", terms.field);
        reference.found("out.target", terms.target);
        reference.found("out.trajectory_fm", flow);
        reference.found("out.trajectory_consistency", consistency);
        reference.found("out.per_sample", terms.rows.clone().inner());
        reference.found_loss(&stub, terms.rows.mean());
        Ok(())
    }
}
