//! Consistency training on TrigFlow's path (sCT of sCM, arXiv 2410.11081): the consistency function `f = cos a·x_a − sin a·σ_d·F(x_a/σ_d, a)` must
//! not change along the flow.
//!
//! With `g = cos²a·(σ_d·F⁻ − v) + w·cos a·sin a·(x_a + σ_d·dF⁻/da)`, which is `−cos a·df⁻/da` once the warm-up `w` is 1, the target is
//! `F⁻ − g/(‖g‖/√D + c)` and the loss `exp(−l)·m + l` of the mean square `m`, `l` learned. `v` is that of the data, or for the distillation sCD a
//! frozen teacher's, guided or not.

use super::super::{
    Derivative, Factor, Form, Law, Learned, Measured, Path, Published, Residual, RowWeight, Tangent,
    Velocity,
    case::{Case, draws},
};
use crate::{
    Clock,
    flow::TrigFlow,
    objective::{About, Learns, Reference, ReferenceError, TrainBackend, reference::Told},
    time::TimeLaw,
    weight::Weight,
};
use meanflow_settings::{Flag, Number, Reader};
use std::f64::consts::FRAC_2_PI;

/// The method.
#[derive(Clone, Debug, PartialEq)]
pub struct Sct;

fn residual(trig: TrigFlow, law: TimeLaw, c: f64) -> Residual {
    Residual {
        path: Path::Trig(trig),
        unit: trig.sigma_data,
        form: Form::Scm,
        law: Law::ToData(law),
        velocity: Velocity::Data,
        teacher: None,
        guide: None,
        plain_direction: false,
        derivative: Derivative::Jvp,
        warmup: 0.0,
        tangent: Tangent::Normalised { c, mean: true },
        weight: RowWeight {
            measure: Measured::Mean,
            cosine: false,
            weight: Weight { p: 0.0, eps: 1e-3 },
            factor: Factor::Constant(1.0),
            learned: Learned::Gaussian,
        },
        label_dropout: 0.0,
    }
}

impl Published for Sct {
    const NAME: &'static str = "sct";
    const ABOUT: &'static str = "continuous-time consistency training, sCT of sCM (arXiv 2410.11081)";
    const LEARNS: Learns = Learns::Consistency;

    fn read(r: &mut Reader, about: &About) -> Residual {
        let trig = TrigFlow { sigma_data: r.get("sigma-data", Number::POSITIVE, 0.5) };
        let law = TimeLaw::read(r, "time", TimeLaw::LogitNormal { mean: -1.0, std: 1.4 });
        // The constant is one of velocities, the residual one of outputs.
        let mut residual = residual(trig, law, r.get("c", Number::POSITIVE, 0.1) / trig.sigma_data);
        residual.derivative = Derivative::read(r, Derivative::Jvp);
        residual.warmup = r.get("warmup", Number::UNIT, 0.025);
        residual.read_teacher(r);
        residual.label_dropout = about.label_dropout(r, 0.1);
        residual.read_teacher_guidance(r, about, 2.0);
        if !r.get("learned-weight", Flag, true) {
            residual.weight.learned = Learned::Off;
        }
        residual
    }
    /// The published code counts outputs in the derivative by `τ = 2a/π`, so an output of 1 is a velocity of `2/π` there.
    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let trig = TrigFlow { sigma_data: reference.number("sigma_data")? };
        let law = TimeLaw::LogitNormal { mean: reference.number("P_mean")?, std: reference.number("P_std")? };
        let angles: Vec<f64> = reference.host("in.normal")?.iter().map(|n| trig.angle(law.of(*n))).collect();
        reference.found_host("in.t", angles.iter().map(|a| a * FRAC_2_PI).collect());
        reference.found_host("in.angle", angles);

        let case = Case::<B>::new(reference, ([Clock::Time; 2], Told::House), device)?;
        let mut residual = residual(trig, law, reference.number("tangent_c")?);
        residual.unit = FRAC_2_PI;
        if reference.word("loss_type")? == "adaptive" {
            residual.weight.measure = Measured::Square;
            residual.weight.weight.p = reference.number("adaptive_p")?;
        }
        if !reference.flag("variational_adaptive_weight")? {
            residual.weight.learned = Learned::Off;
        }
        let angles = reference.host("in.angle")?;
        let rows = angles.len();
        let mut draws = draws(reference, angles, vec![0.0; rows]);
        draws.warm = reference.number("warmup_ratio")?;
        let out = case.step(&residual, case.second(), &case.e, &draws);
        reference.found("out.tangent", out.target.residual.clone().neg());
        reference.found("out.target", out.target.target.clone());
        out.found(reference, &case.stub);
        Ok(())
    }
}
