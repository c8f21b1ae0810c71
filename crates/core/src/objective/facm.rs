//! Flow-anchored consistency (FACM, arXiv 2507.03738): the residual at `r = 0`, clamped, and flow matching at the same points as an anchor.
//!
//! Consistency: the target is `u⁻ − (1 − (1−t)^power)·clamp(g, −1, 1)` with `g = u⁻ − v + t·du⁻/dt`, the loss `sin(πt/2)·m/sg(m + eps)^p` of
//! the mean square `m`. Anchor: the mean square of `u(z, t, t) − v` and the distance `1 − cos` of the two over the channels.

use super::{
    About, At, Batch, Cost, Facts, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError,
    Teacher, TrainBackend, outer,
    reference::Told,
    residual::{
        Derivative, Extrapolation, Factor, Form, Guide, Law, Learned, Measured, Path, Residual,
        ResidualDraws, RowWeight, Step, Tangent, Task, Velocity,
        case::{Case, draws},
        presets::scm_linear::{guide, law},
    },
};
use crate::{Backbone, Clock, interpolant::squared_norm, time::TimeLaw, weight::Weight};
use burn::{module::Module, tensor::Tensor};
use meanflow_jvp::Untaped;
use meanflow_settings::{Choice, Number, Reader};

/// Settings of flow-anchored consistency.
#[derive(Clone, Debug, PartialEq)]
pub struct FacmConfig {
    /// The consistency term.
    pub consistency: Residual,
    /// How a network is asked for the velocity.
    pub anchor: Anchor,
}

/// How a network is asked for the velocity rather than the map to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// By `r = t`.
    BothTimes,
    /// By the time `−t`, for networks that are told one time.
    Mirrored,
}

/// The loss of the anchor's rows.
const FLOW: RowWeight = RowWeight {
    measure: Measured::Mean,
    cosine: true,
    weight: Weight { p: 0.0, eps: 1e-3 },
    factor: Factor::Constant(1.0),
    learned: Learned::Off,
};

fn consistency(law: TimeLaw, velocity: Velocity, power: f64, weight: Weight) -> Residual {
    Residual {
        path: Path::Straight,
        unit: 1.0,
        form: Form::Plain,
        law: Law::ToData(law),
        velocity,
        teacher: None,
        guide: None,
        plain_direction: false,
        derivative: Derivative::Jvp,
        warmup: 0.0,
        tangent: Tangent::Clamped { power },
        weight: RowWeight {
            measure: Measured::Mean,
            cosine: false,
            weight,
            factor: Factor::Sine,
            learned: Learned::Off,
        },
        label_dropout: 0.0,
    }
}

impl FacmConfig {
    /// The anchor's loss of each row.
    fn flow<B: TrainBackend, N: Backbone<B>>(&self, net: &N, task: &Task<B::InnerBackend>) -> Tensor<B, 1> {
        let point = task.point.clone();
        let (z, t) = (Tensor::from_inner(point.z), Tensor::<B, 1>::from_inner(point.t));
        let t = if self.anchor == Anchor::Mirrored { -t } else { t };
        let output = net.forward(z, t.clone(), t.clone(), &outer(task.condition.clone()));
        FLOW.rows(output, Tensor::from_inner(task.velocity.clone()), t.ones_like(), None)
    }
}

impl Facts for FacmConfig {
    fn learns(&self) -> Learns {
        Learns::Consistency
    }

    fn teachers(&self, _at: &At) -> Vec<Teacher> {
        self.consistency.teachers()
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "flow", "dudt"]
    }

    fn cost(&self) -> Cost {
        let of = self.consistency.cost();
        Cost { passes: 1.0 + of.passes, ..of }
    }
}

impl Objective for FacmConfig {
    const NAME: &'static str = "facm";
    const ABOUT: &'static str =
        "flow-anchored consistency: a clamped residual and flow matching (arXiv 2507.03738)";

    type Tangents = Untaped;
    type Draws = ResidualDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let law = TimeLaw::read(r, "time", TimeLaw::LogitNormal { mean: -0.8, std: 1.6 });
        let power = r.get("power", Number::POSITIVE, 0.5);
        let weight = Weight::read(r, Weight { p: 0.5, eps: 1e-3 });
        let mut consistency = consistency(law, Velocity::Data, power, weight);
        consistency.derivative = Derivative::read(r, Derivative::Jvp);
        consistency.read_teacher(r);
        consistency.label_dropout = about.label_dropout(r, 0.1);
        consistency.guide =
            Guide::read(r, about, Guide::Extrapolated(Extrapolation { omega: 1.75, interval: [0.0, 0.875] }));
        consistency.check(r, about);
        let anchors = Choice(vec![("both-times", Anchor::BothTimes), ("mirrored", Anchor::Mirrored)]);
        Self { consistency, anchor: r.get("anchor", anchors, Anchor::BothTimes) }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> ResidualDraws {
        self.consistency.draw(at, shape)
    }

    fn loss<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: Batch<B::InnerBackend>,
        draws: &ResidualDraws,
    ) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Step { task, slope, raw, rows } = self.consistency.step::<B, N, F>(nets, &batch, draws);
        let flow = self.flow::<B, N>(nets.online, &task);
        let measures = vec![
            Measure::mean("raw", raw),
            Measure::mean("flow", flow.clone().inner()),
            Measure::root_mean_square("dudt", squared_norm(slope)),
        ];
        Loss { loss: rows.mean() + flow.mean(), measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let (law, normal) = law(reference)?;
        // The method's own time is 0 at noise.
        reference.found_host("in.t", normal.iter().map(|n| 1.0 - law.of(*n)).collect());
        let t: Vec<f64> = reference.host("in.t")?.iter().map(|t| 1.0 - t).collect();
        let (clock, anchor) = match reference.flag("r_embedder")? {
            true => (Clock::BothTimes, Anchor::BothTimes),
            false => (Clock::Time, Anchor::Mirrored),
        };
        let case = Case::<B>::new(reference, ([clock, Clock::BothTimes], Told::Reversed), device)?;
        let velocity =
            if reference.flag("distill")? { Velocity::Teacher { flow: false } } else { Velocity::Data };
        let weight = Weight { p: reference.number("norm_p")?, eps: reference.number("c")? };
        let mut consistency = consistency(law, velocity, reference.number("p")?, weight);
        consistency.guide = guide(reference)?;
        let rows = t.len();
        let draws = draws(reference, t, vec![0.0; rows]);
        let out = case.step(&consistency, &case.stub, &case.e, &draws);
        let flow = Self { consistency, anchor }.flow::<B, _>(&case.stub, &out.task);
        reference.found("out.velocity", out.task.velocity.clone().neg());
        reference.found("out.target", out.target.target.clone().neg());
        reference.found("out.consistency_per_sample", out.rows.clone().inner());
        reference.found("out.flow_matching_per_sample", flow.clone().inner());
        let (consistency, flow) = (out.rows.mean(), flow.mean());
        reference.found("out.consistency", consistency.clone().inner());
        reference.found("out.flow_matching", flow.clone().inner());
        reference.found_loss(&case.stub, consistency + flow);
        Ok(())
    }
}
