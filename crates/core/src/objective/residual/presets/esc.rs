//! Explicit ShortCut (ESC, arXiv 2512.11831): MeanFlow with the velocity of the batch's posterior on a share of the rows, maps to the data
//! early in the run, and a learned log-variance over the adaptive weight: `exp(−l)·S/sg(S + eps)^p + l`.

use super::super::{
    Derivative, Factor, Form, Guide, Law, Learned, Measured, Path, Published, Residual, RowWeight, Tangent,
    Velocity, Zero,
    case::{Case, draws},
    law::annealed,
};
use super::mf_rae::given;
use crate::{
    Clock,
    objective::{About, GuidanceConfig, Learns, Reference, ReferenceError, TrainBackend, reference::Told},
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use meanflow_settings::{Flag, Number, Reader};

/// The method.
#[derive(Clone, Debug, PartialEq)]
pub struct Esc;

fn residual((times, zero): (TimeSampler, f64), plug_in: f64, weight: Weight) -> Residual {
    Residual {
        path: Path::Straight,
        unit: 1.0,
        form: Form::Plain,
        law: Law::Pairs { times, zero: Zero::Annealed(zero) },
        velocity: Velocity::PlugIn(plug_in),
        teacher: None,
        guide: None,
        plain_direction: false,
        derivative: Derivative::Jvp,
        warmup: 0.0,
        tangent: Tangent::Whole,
        weight: RowWeight {
            measure: Measured::Sum,
            cosine: false,
            weight,
            factor: Factor::Constant(1.0),
            learned: Learned::Gaussian,
        },
        label_dropout: 0.0,
    }
}

impl Published for Esc {
    const NAME: &'static str = "esc";
    const ABOUT: &'static str =
        "MeanFlow with the velocity of the batch's posterior (Explicit ShortCut, arXiv 2512.11831)";
    const LEARNS: Learns = Learns::Average;

    fn read(r: &mut Reader, about: &About) -> Residual {
        let law = TimeLaw::read(r, "time", TimeLaw::PUBLISHED);
        let share = r.get("share", Number::UNIT, 0.25);
        let times = TimeSampler { t: law, r: law, pairing: Pairing::V0, share, split: Split::Random };
        let zero = r.get("to-data", Number::UNIT, 0.03);
        let plug_in = r.get("plug-in", Number::UNIT, 0.5);
        let weight = Weight::read(r, Weight { p: 1.0, eps: 1e-3 });
        let mut residual = residual((times, zero), plug_in, weight);
        residual.derivative = Derivative::read(r, Derivative::Jvp);
        residual.warmup = r.get("warmup", Number::UNIT, 0.0);
        residual.label_dropout = about.label_dropout(r, 0.1);
        let field = GuidanceConfig { omega: 1.0, kappa: 0.5, interval: [0.0, 1.0] };
        residual.guide = Guide::read(r, about, Guide::Mixed { field, decay: None, everywhere: false });
        if !r.get("learned-weight", Flag, true) {
            residual.weight.learned = Learned::Off;
        }
        residual.check(r, about);
        residual
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let law = TimeLaw::LogitNormal { mean: reference.number("P_mean")?, std: reference.number("P_std")? };
        let [zero, equal, plug] = ["in.u_zero", "in.u_equal", "in.u_plug"].map(|name| reference.host(name));
        let to_data = annealed(reference.number("step_r")?);
        let still = 1.0 - reference.number("ratio_r_not_equal_t")?;
        let (mut t, mut r) = (Vec::new(), Vec::new());
        for ((pair, zero), equal) in reference.host("in.normal")?.chunks(2).zip(zero?).zip(equal?) {
            let (a, b) = (law.of(pair[0]), law.of(pair[1]));
            t.push(a.max(b));
            r.push(if equal < still {
                a.max(b)
            } else if zero < to_data {
                0.0
            } else {
                a.min(b)
            });
        }
        reference.found_host("in.t", t);
        reference.found_host("in.r", r);

        let case = Case::<B>::new(reference, ([Clock::BothTimes; 2], Told::House), device)?;
        let weight = Weight { p: reference.number("adaptive_p")?, eps: reference.number("adaptive_eps")? };
        let mut residual = residual((given(), 0.0), reference.number("vplug_prob")?, weight);
        if !reference.flag("vplug")? {
            residual.velocity = Velocity::Data;
        }
        if reference.word("loss_type")? == "l2" {
            (residual.weight.measure, residual.weight.weight.p) = (Measured::Mean, 0.0);
        }
        if !reference.flag("variational_adaptive_weight")? {
            residual.weight.learned = Learned::Off;
        }
        let mut draws = draws(reference, reference.host("in.t")?, reference.host("in.r")?);
        let share = reference.number("vplug_prob")?;
        draws.plugged = plug?.iter().map(|u| *u < share).collect();
        let over = reference.number("grad_warmup_steps")?;
        draws.warm = if over > 0.0 { (reference.number("global_step")? / over).min(1.0) } else { 1.0 };
        let plain = case.step(&residual, case.second(), &case.e, &draws).task.velocity;
        let field = GuidanceConfig {
            omega: reference.number("cfg_omega")?,
            kappa: reference.number("cfg_kappa")?,
            interval: [reference.number("cfg_min_t")?, reference.number("cfg_max_t")?],
        };
        residual.guide = Some(Guide::Mixed { field, decay: None, everywhere: false });
        let out = case.step(&residual, case.second(), &case.e, &draws);
        reference.found("out.v", plain);
        reference.found("out.v_guided", out.task.velocity.clone());
        reference.found("out.target", out.target.target.clone());
        out.found(reference, &case.stub);
        Ok(())
    }
}
