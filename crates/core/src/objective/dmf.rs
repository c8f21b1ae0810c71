//! The objective of decoupled MeanFlow (DMF, arXiv 2510.24474): flow matching and MeanFlow on the same samples, each with noise and times of its own
//! and the loss `ln(exp(−l)·m + eps) + l` of the mean square `m`, `l` a learned log-variance. The loss of a row is the mean of the two.

use super::{
    About, At, Batch, Cost, Facts, GuidanceConfig, Learns, Loss, Measure, Nets, Objective, Reference,
    ReferenceError, Rows, Teacher, TrainBackend,
    reference::Told,
    residual::{
        Derivative, Factor, Form, Guide, Law, Learned, Measured, Path, Residual, ResidualDraws, RowWeight,
        Tangent, Velocity, Zero,
        case::{Case, draws},
    },
};
use crate::{
    Backbone, Clock,
    interpolant::squared_norm,
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use burn::{
    module::Module,
    tensor::{Tensor, TensorData},
};
use meanflow_jvp::Untaped;
use meanflow_settings::{Number, Reader};

/// Settings of decoupled MeanFlow.
#[derive(Clone, Debug, PartialEq)]
pub struct DmfConfig {
    /// The MeanFlow term; weight, guidance and labels are those of both.
    pub map: Residual,
    /// Law of the time of the flow-matching term.
    pub flow: TimeLaw,
}

/// The random numbers of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct DmfDraws {
    /// Of the MeanFlow term.
    pub map: ResidualDraws,
    /// Of the flow-matching term, all rows with `r = t`.
    pub flow: ResidualDraws,
}

impl Rows for DmfDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        Self { map: self.map.part(index, parts), flow: self.flow.part(index, parts) }
    }
}

fn map([late, early]: [TimeLaw; 2], eps: f64) -> Residual {
    let times = TimeSampler { t: late, r: early, pairing: Pairing::V0, share: 1.0, split: Split::Prefix };
    Residual {
        path: Path::Straight,
        unit: 1.0,
        form: Form::Plain,
        law: Law::Pairs { times, zero: Zero::Last(0.0) },
        velocity: Velocity::Data,
        teacher: None,
        guide: None,
        plain_direction: false,
        derivative: Derivative::Jvp,
        warmup: 0.0,
        tangent: Tangent::Whole,
        weight: RowWeight {
            measure: Measured::Mean,
            cosine: false,
            weight: Weight { p: 0.0, eps: 1e-3 },
            factor: Factor::Constant(1.0),
            learned: Learned::Cauchy(eps),
        },
        label_dropout: 0.0,
    }
}

impl Facts for DmfConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn teachers(&self, _at: &At) -> Vec<Teacher> {
        self.map.teachers()
    }

    fn learned_weight(&self) -> bool {
        true
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "flow", "dudt"]
    }

    fn cost(&self) -> Cost {
        let of = self.map.derivative.cost();
        Cost { passes: 1.0 + of.passes, ..of }
    }
}

impl Objective for DmfConfig {
    const NAME: &'static str = "dmf";
    const ABOUT: &'static str = "flow matching and MeanFlow side by side under a learned weight (decoupled MeanFlow, arXiv 2510.24474)";

    type Tangents = Untaped;
    type Draws = DmfDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let law = |mean| TimeLaw::LogitNormal { mean, std: 1.0 };
        let flow = TimeLaw::read(r, "time-flow", law(0.0));
        let laws = [TimeLaw::read(r, "time", law(0.4)), TimeLaw::read(r, "time-r", law(-1.2))];
        let mut map = map(laws, r.get("eps", Number::POSITIVE, 0.01));
        map.derivative = Derivative::read(r, Derivative::Jvp);
        map.label_dropout = about.label_dropout(r, 0.1);
        let field = GuidanceConfig { omega: 1.0, kappa: 0.6, interval: [0.0, 0.7] };
        map.guide = Guide::read(r, about, Guide::Mixed { field, decay: Some(0.9999), everywhere: false });
        map.check(r, about);
        Self { map, flow }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> DmfDraws {
        let (streams, step, rows) = (at.streams, at.step, shape[0]);
        let map = self.map.draw(at, shape);
        let mut rng = streams.rng("time-flow", step);
        let t: Vec<f64> = (0..rows).map(|_| f64::from(self.flow.draw(&mut rng) as f32)).collect();
        let noise = streams.normal("noise-flow", step, shape.iter().product());
        let flow = ResidualDraws { noise, r: t.clone(), t, still: rows, ..map.clone() };
        DmfDraws { map, flow }
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &DmfDraws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let term = |draws: &ResidualDraws| {
            let e = TensorData::new(draws.noise.clone(), batch.x.dims());
            let e = Tensor::from_data(e, &batch.x.device());
            let task = self.map.task(nets.frozen, nets.teachers, &batch, e, draws);
            let networks = (nets.online, nets.frozen);
            let (output, slope) = self.map.slope::<B, N, F>(networks, batch.precision, &task, draws.still);
            let target = self.map.target(output.clone().inner(), slope.clone(), &task, draws).target;
            let squared = squared_norm(output.clone().inner() - target.clone());
            (self.map.rows::<B, N>(nets.online, output, target, &task, draws).mean(), squared, slope)
        };
        let (map, raw, slope) = term(&draws.map);
        let (flow, error, _) = term(&draws.flow);
        let measures = vec![
            Measure::mean("raw", raw),
            Measure::mean("flow", error),
            Measure::root_mean_square("dudt", squared_norm(slope)),
        ];
        Loss { loss: (map + flow) * 0.5, measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let law = |mean: &str, std: &str| -> Result<TimeLaw, ReferenceError> {
            Ok(TimeLaw::LogitNormal { mean: reference.number(mean)?, std: reference.number(std)? })
        };
        let times = |law: TimeLaw, name: &str| -> Result<Vec<f64>, ReferenceError> {
            Ok(reference.host(name)?.iter().map(|n| law.of(*n)).collect())
        };
        let laws = [law("P_mean_t", "P_std_t")?, law("P_mean_r", "P_std_r")?];
        let (one, other) = (times(laws[0], "in.normal_t")?, times(laws[1], "in.normal_r")?);
        let flow = times(law("P_mean", "P_std")?, "in.normal_fm")?;
        let later = one.iter().zip(&other).map(|(a, b)| a.max(*b)).collect();
        let earlier = one.iter().zip(&other).map(|(a, b)| a.min(*b)).collect();
        for (name, values) in [("in.t", later), ("in.r", earlier), ("in.t_fm", flow)] {
            reference.found_host(name, values);
        }

        let case = Case::<B>::new(reference, ([Clock::BothTimes; 2], Told::House), device)?;
        let mut map = map(laws, reference.number("log_eps")?);
        let field = GuidanceConfig {
            omega: 1.0,
            kappa: reference.number("omega")?,
            interval: [reference.number("g_min")?, reference.number("g_max")?],
        };
        map.guide = Some(Guide::Mixed { field, decay: Some(0.9999), everywhere: false });
        let e = reference.tensor("in.e_mf", device)?;
        let at = draws(reference, reference.host("in.t")?, reference.host("in.r")?);
        let long = case.step(&map, &case.stub, &e, &at);
        let times = reference.host("in.t_fm")?;
        let at = draws(reference, times.clone(), times);
        let flow = case.step(&map, &case.stub, &case.e, &at);
        reference.found("out.fm_target", flow.task.velocity);
        reference.found("out.mf_velocity", long.task.velocity);
        reference.found("out.target", long.target.target);
        reference.found("out.fm", flow.rows.clone().inner());
        reference.found("out.mf", long.rows.clone().inner());
        if let (Some(one), Some(other)) = (long.broadcast, flow.broadcast) {
            reference.found("out.loss_broadcast", (one + other) * 0.5);
        }
        let rows = (long.rows + flow.rows) * 0.5;
        reference.found("out.per_sample", rows.clone().inner());
        reference.found_loss(&case.stub, rows.mean());
        Ok(())
    }
}
