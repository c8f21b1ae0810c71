//! Transition models (TiM): the map between any two times, on the straight path or on TrigFlow's with `σ_d = 1`, whose derivative is a central
//! difference.
//!
//! The target is `v − (t−r)·dF/dt`, or `v − tan(t−r)·(z + dF/dt)` on the circle; the loss of a row `factor·m/sg(m + eps)` of the mean square plus
//! the distance of directions, `factor = 1/√(tan t − tan r + σ)`.

use super::super::{
    Derivative, Factor, Form, Gap, Guide, Law, Learned, Measured, Path, Published, Residual, RowWeight,
    Tangent, Velocity, Zero,
    case::{Case, draws},
};
use super::mf_rae::given;
use crate::{
    Clock,
    flow::TrigFlow,
    objective::{About, GuidanceConfig, Learns, Reference, ReferenceError, TrainBackend, reference::Told},
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use meanflow_settings::{Choice, Flag, Number, Problem, Reader};

/// The method.
#[derive(Clone, Debug, PartialEq)]
pub struct Tim;

const CIRCLE: Path = Path::Trig(TrigFlow { sigma_data: 1.0 });

fn residual(path: Path, (times, zero): (TimeSampler, f64), derivative: Derivative) -> Residual {
    Residual {
        path,
        unit: 1.0,
        form: Form::Plain,
        law: Law::Pairs { times, zero: Zero::Last(zero) },
        velocity: Velocity::Data,
        teacher: None,
        guide: None,
        plain_direction: true,
        derivative,
        warmup: 0.0,
        tangent: Tangent::Whole,
        weight: RowWeight {
            measure: Measured::Mean,
            cosine: true,
            weight: Weight { p: 1.0, eps: 1e-5 },
            factor: Factor::Root(Gap { sigma: 1.0, tangent: true }),
            learned: Learned::Off,
        },
        label_dropout: 0.0,
    }
}

impl Published for Tim {
    const NAME: &'static str = "tim";
    const ABOUT: &'static str =
        "transition models: the map between any two times by central differences (TiM)";
    const LEARNS: Learns = Learns::Average;

    fn read(r: &mut Reader, about: &About) -> Residual {
        let paths = Choice(vec![("straight", Path::Straight), ("trig", CIRCLE)]);
        let path = r.get("path", paths, Path::Straight);
        let law = TimeLaw::read(r, "time", TimeLaw::PUBLISHED);
        let (share, zero) = (r.get("share", Number::UNIT, 0.5), r.get("to-data", Number::UNIT, 0.1));
        if zero > share {
            let message = format!("`{}`: a share of {zero}, of {share} that have r ≠ t", r.path("to-data"));
            r.problem(Problem::new(r.at("to-data"), message));
        }
        let times = TimeSampler { t: law, r: law, pairing: Pairing::V0, share, split: Split::Prefix };
        let derivative = Derivative::read(r, Derivative::Central { step: 5e-3 });
        let mut residual = residual(path, (times, zero), derivative);
        residual.weight.cosine = r.get("cosine", Flag, true);
        residual.label_dropout = about.label_dropout(r, 0.1);
        let field = GuidanceConfig { omega: 1.0, kappa: 0.75, interval: [0.3, 0.8] };
        residual.guide = Guide::read(r, about, Guide::Mixed { field, decay: Some(0.9999), everywhere: true });
        residual.check(r, about);
        residual
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let (path, told) = match reference.word("transport")? {
            "trig" => (CIRCLE, Told::Angle),
            _ => (Path::Straight, Told::House),
        };
        let law = TimeLaw::LogitNormal { mean: reference.number("P_mean")?, std: reference.number("P_std")? };
        let times = |name| -> Result<Vec<f64>, ReferenceError> {
            Ok(reference.host(name)?.iter().map(|n| path.own(law.of(*n))).collect())
        };
        let (one, other) = (times("in.normal_1")?, times("in.normal_2")?);
        let still = reference.number("num_diffusion")? as usize;
        let first = one.len() - reference.number("num_consistency")? as usize;
        let pairs = one.iter().zip(&other).map(|(a, b)| (a.max(*b), a.min(*b))).enumerate();
        let pairs = pairs.map(|(row, (t, r))| match row {
            row if row < still => (t, t),
            row if row >= first => (t, 0.0),
            _ => (t, r),
        });
        let (t, r): (Vec<f64>, Vec<f64>) = pairs.unzip();
        reference.found_host("in.t", t);
        reference.found_host("in.r", r);

        let case = Case::<B>::new(reference, ([Clock::BothTimes; 2], told), device)?;
        let step = reference.number("differential_epsilon")?;
        let derivative = if reference.word("derivative_type")? == "jvp" {
            Derivative::Jvp
        } else {
            Derivative::Central { step }
        };
        let mut residual = residual(path, (given(), 0.0), derivative);
        let weight = &mut residual.weight;
        weight.cosine = reference.flag("direction_loss")?;
        weight.weight.eps = reference.number("adaptive_eps")?;
        let gap =
            Gap { sigma: reference.number("sigma_d")?, tangent: reference.flag("weight_time_tangent")? };
        weight.factor = if reference.word("weight_time_type")? == "sqrt" {
            Factor::Root(gap)
        } else {
            Factor::Square(gap)
        };
        if reference.flag("enhance_target")? {
            let told = |name| reference.number(name).map(|t| t * path.told());
            let field = GuidanceConfig {
                omega: reference.number("w_gt")?,
                kappa: reference.number("w_cond")?,
                interval: [told("w_start")?, told("w_end")?],
            };
            residual.guide = Some(Guide::Mixed { field, decay: Some(0.9999), everywhere: true });
        }
        let mut draws = draws(reference, reference.host("in.t")?, reference.host("in.r")?);
        draws.still = still;
        let factors = (0..draws.t.len())
            .map(|row| residual.weight.factor.of(draws.r[row], draws.t[row], row < still))
            .collect();
        reference.found_host("out.time_weight", factors);
        let out = case.step(&residual, &case.stub, &case.e, &draws);
        reference.found("out.velocity", out.task.velocity.clone());
        reference.found("out.derivative", out.slope.clone());
        reference.found("out.target", out.target.target.clone());
        out.found(reference, &case.stub);
        Ok(())
    }
}
