//! Align Your Flow's Eulerian map distillation (AYF-EMD, arXiv 2506.14603): MeanFlow's residual with a normalised tangent and a warm-up,
//! `u_tgt = u⁻ − g/(‖g‖ + c)`, `g = u⁻ − v + w·(t−r)·du⁻/dt`, `L = E ‖u − u_tgt‖²`. The velocity is a teacher's, or the data's.

use super::super::{
    Derivative, Factor, Form, Law, Learned, Measured, Path, Published, Residual, RowWeight, Tangent,
    Velocity, Zero,
};
use crate::{
    objective::{About, Learns},
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use meanflow_settings::{Number, Reader};

/// The method.
#[derive(Clone, Debug, PartialEq)]
pub struct Ayf;

impl Published for Ayf {
    const NAME: &'static str = "ayf";
    const ABOUT: &'static str =
        "MeanFlow with a normalised tangent and a warm-up (AYF-EMD, arXiv 2506.14603)";
    const LEARNS: Learns = Learns::Average;

    fn read(r: &mut Reader, about: &About) -> Residual {
        let law = TimeLaw::read(r, "time", TimeLaw::LogitNormal { mean: -0.8, std: 1.0 });
        let share = r.get("share", Number::UNIT, 1.0);
        let times = TimeSampler { t: law, r: law, pairing: Pairing::V0, share, split: Split::Prefix };
        let mut residual = Residual {
            path: Path::Straight,
            unit: 1.0,
            form: Form::Plain,
            law: Law::Pairs { times, zero: Zero::Last(0.0) },
            velocity: Velocity::Data,
            teacher: None,
            guide: None,
            plain_direction: false,
            derivative: Derivative::read(r, Derivative::Jvp),
            warmup: r.get("warmup", Number::UNIT, 0.025),
            tangent: Tangent::Normalised { c: r.get("c", Number::POSITIVE, 0.1), mean: false },
            weight: RowWeight {
                measure: Measured::Sum,
                cosine: false,
                weight: Weight { p: 0.0, eps: 1e-3 },
                factor: Factor::Constant(1.0),
                learned: Learned::Off,
            },
            label_dropout: about.label_dropout(r, 0.1),
        };
        residual.read_teacher(r);
        residual
    }
}
