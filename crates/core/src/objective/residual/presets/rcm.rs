//! Score-regularised continuous-time consistency (rCM, arXiv 2510.08431), its consistency half: sCM's distillation with a norm that grows with the
//! elements and a warm-up of the point alone.
//!
//! On TrigFlow's path with `σ_d = 1`, `g = cos a·√(1 − w²·sin²a)·(F⁻ − v) + w·cos a·sin a·x_a + cos a·sin a·dF⁻/da`, target `F⁻ − g/(‖g‖ + c)`, loss
//! `100·‖F − target‖²`; `v` is a frozen teacher's, guided, or that of the data.

use super::super::{
    Derivative, Extrapolation, Factor, Form, Guide, Law, Learned, Measured, Path, Published, Residual,
    RowWeight, Tangent, Velocity,
    case::{Case, draws},
};
use crate::{
    Clock,
    flow::TrigFlow,
    objective::{About, Learns, Reference, ReferenceError, TrainBackend, reference::Told},
    time::TimeLaw,
    weight::Weight,
};
use meanflow_settings::{Number, Reader};

/// The method.
#[derive(Clone, Debug, PartialEq)]
pub struct Rcm;

fn residual(law: TimeLaw, derivative: Derivative, [c, scale]: [f64; 2]) -> Residual {
    Residual {
        path: Path::Trig(TrigFlow { sigma_data: 1.0 }),
        unit: 1.0,
        form: Form::Rcm,
        law: Law::ToData(law),
        velocity: Velocity::Data,
        teacher: None,
        guide: None,
        plain_direction: false,
        derivative,
        warmup: 0.0,
        tangent: Tangent::Normalised { c, mean: false },
        weight: RowWeight {
            measure: Measured::Sum,
            cosine: false,
            weight: Weight { p: 0.0, eps: 1e-3 },
            factor: Factor::Constant(scale),
            learned: Learned::Off,
        },
        label_dropout: 0.0,
    }
}

impl Published for Rcm {
    const NAME: &'static str = "rcm";
    const ABOUT: &'static str = "the consistency half of rCM, exact or by differences (arXiv 2510.08431)";
    const LEARNS: Learns = Learns::Consistency;

    fn read(r: &mut Reader, about: &About) -> Residual {
        let law = TimeLaw::read(r, "time", TimeLaw::LogitNormal { mean: -0.8, std: 1.6 });
        let derivative = Derivative::read(r, Derivative::Jvp);
        let constants = [r.get("c", Number::POSITIVE, 0.1), r.get("scale", Number::POSITIVE, 100.0)];
        let mut residual = residual(law, derivative, constants);
        residual.warmup = r.get("warmup", Number::UNIT, 0.025);
        residual.read_teacher(r);
        residual.label_dropout = about.label_dropout(r, 0.1);
        residual.read_teacher_guidance(r, about, 5.0);
        residual
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let case = Case::<B>::new(reference, ([Clock::Time; 2], Told::Angle), device)?;
        let step = reference.number("fd_size")?;
        let derivative = match reference.number("fd_type")? as u8 {
            0 => Derivative::Jvp,
            1 => Derivative::Mixed { step },
            _ => Derivative::Backward { step },
        };
        let constants = [reference.number("tangent_c")?, reference.number("loss_scale")?];
        let mut residual = residual(TimeLaw::Uniform, derivative, constants);
        residual.velocity = Velocity::Teacher { flow: false };
        let omega = reference.number("teacher_guidance")?;
        // All times.
        residual.guide = Some(Guide::Extrapolated(Extrapolation { omega, interval: [0.0, f64::INFINITY] }));
        let angles = reference.host("in.angle")?;
        let rows = angles.len();
        let mut draws = draws(reference, angles, vec![0.0; rows]);
        draws.warm = reference.number("warmup_ratio")?;
        let out = case.step(&residual, &case.stub, &case.e, &draws);
        reference.found("out.teacher", out.task.velocity.clone());
        reference.found("out.derivative", out.slope.clone());
        reference.found("out.tangent", out.target.residual.clone().neg());
        reference.found("out.target", out.target.target.clone());
        out.found(reference, &case.stub);
        Ok(())
    }
}
