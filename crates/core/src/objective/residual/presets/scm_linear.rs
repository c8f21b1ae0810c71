//! The tangent of sCM (arXiv 2410.11081) on the straight path, as the code of FACM (arXiv 2507.03738) has it: `r = 0`,
//! `g = sin(πt/2)·(u − v + w·t·du/dt)`, target `u⁻ − g/(‖g‖/√D + c)`, loss `exp(−l)·m + l` of the mean square `m`.

use super::super::{
    Derivative, Extrapolation, Factor, Form, Guide, Law, Learned, Measured, Path, Published, Residual,
    RowWeight, Tangent, Velocity,
    case::{Case, draws},
};
use crate::{
    Clock,
    objective::{About, Learns, Reference, ReferenceError, TrainBackend, reference::Told},
    time::TimeLaw,
    weight::Weight,
};
use meanflow_settings::{Flag, Number, Reader};

/// The method.
#[derive(Clone, Debug, PartialEq)]
pub struct ScmLinear;

fn residual(law: TimeLaw, guide: Option<Guide>, velocity: Velocity, c: f64) -> Residual {
    Residual {
        path: Path::Straight,
        unit: 1.0,
        form: Form::Scm,
        law: Law::ToData(law),
        velocity,
        teacher: None,
        guide,
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

impl Published for ScmLinear {
    const NAME: &'static str = "scm-linear";
    const ABOUT: &'static str =
        "consistency by a normalised tangent on the straight path (arXiv 2410.11081, 2507.03738)";
    const LEARNS: Learns = Learns::Consistency;

    fn read(r: &mut Reader, about: &About) -> Residual {
        let law = TimeLaw::read(r, "time", TimeLaw::AtanNormal { mean: -0.8, std: 1.4 });
        let published = Guide::Extrapolated(Extrapolation { omega: 1.75, interval: [0.0, 0.875] });
        let guide = Guide::read(r, about, published);
        let mut residual = residual(law, guide, Velocity::Data, r.get("c", Number::POSITIVE, 0.1));
        residual.derivative = Derivative::read(r, Derivative::Jvp);
        residual.warmup = r.get("warmup", Number::UNIT, 0.025);
        residual.read_teacher(r);
        residual.label_dropout = about.label_dropout(r, 0.1);
        if !r.get("learned-weight", Flag, true) {
            residual.weight.learned = Learned::Off;
        }
        residual.check(r, about);
        residual
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let (law, normal) = law(reference)?;
        let t: Vec<f64> = normal.iter().map(|n| law.of(*n)).collect();
        // The method's own time is 0 at noise.
        reference.found_host("in.t", t.iter().map(|t| 1.0 - t).collect());
        let t: Vec<f64> = reference.host("in.t")?.iter().map(|t| 1.0 - t).collect();
        let clock = if reference.flag("r_embedder")? { Clock::BothTimes } else { Clock::Time };
        let case = Case::<B>::new(reference, ([clock, Clock::BothTimes], Told::Reversed), device)?;
        let velocity =
            if reference.flag("distill")? { Velocity::Teacher { flow: false } } else { Velocity::Data };
        let residual = residual(law, guide(reference)?, velocity, reference.number("tangent_c")?);
        let rows = t.len();
        let mut draws = draws(reference, t, vec![0.0; rows]);
        draws.warm = reference.number("warmup_ratio")?;
        let out = case.step(&residual, &case.stub, &case.e, &draws);
        reference.found("out.velocity", out.task.velocity.clone().neg());
        reference.found("out.target", out.target.target.clone().neg());
        reference.found("out.consistency_per_sample", out.rows.clone().inner());
        reference.found("out.consistency", out.rows.clone().mean().inner());
        out.found(reference, &case.stub);
        Ok(())
    }
}

/// The law of house time in a file of FACM's code, and its normal draws.
pub(in crate::objective) fn law(reference: &Reference) -> Result<(TimeLaw, Vec<f64>), ReferenceError> {
    let (mean, std) = (-reference.number("mean")?, reference.number("std")?);
    let law = match reference.word("t_type")? {
        "log" => TimeLaw::LogitNormal { mean, std },
        _ => TimeLaw::AtanNormal { mean, std },
    };
    Ok((law, reference.host("in.normal")?))
}

/// Its guidance; the interval is one of the method's own time.
pub(in crate::objective) fn guide(reference: &Reference) -> Result<Option<Guide>, ReferenceError> {
    let omega = reference.number("cfg_w")?;
    let interval = [1.0 - reference.number("ghigh")?, 1.0 - reference.number("glow")?];
    Ok((omega > 1.0).then_some(Guide::Extrapolated(Extrapolation { omega, interval })))
}
