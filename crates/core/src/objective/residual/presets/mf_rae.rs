//! MeanFlow-RAE (arXiv 2511.13019): MeanFlow whose derivative is a central difference, with the loss `S²/sg(S² + eps)^p` of `S = ‖u − u_tgt‖²`.
//!
//! The published training has two stages: the velocity of a frozen flow (MFD), then that of the data (MFT).

use super::super::{
    Derivative, Factor, Form, Law, Learned, Measured, Path, Published, Residual, RowWeight, Tangent,
    Velocity, Zero,
    case::{Case, draws},
};
use crate::{
    Clock,
    objective::{About, Learns, Reference, ReferenceError, TrainBackend, reference::Told},
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use meanflow_settings::Reader;

/// The method.
#[derive(Clone, Debug, PartialEq)]
pub struct MfRae;

fn residual(times: TimeSampler, velocity: Velocity, derivative: Derivative, weight: Weight) -> Residual {
    Residual {
        path: Path::Straight,
        unit: 1.0,
        form: Form::Plain,
        law: Law::Pairs { times, zero: Zero::Last(0.0) },
        velocity,
        teacher: None,
        guide: None,
        plain_direction: false,
        derivative,
        warmup: 0.0,
        tangent: Tangent::Whole,
        weight: RowWeight {
            measure: Measured::Square,
            cosine: false,
            weight,
            factor: Factor::Constant(1.0),
            learned: Learned::Off,
        },
        label_dropout: 0.0,
    }
}

impl Published for MfRae {
    const NAME: &'static str = "mf-rae";
    const ABOUT: &'static str =
        "MeanFlow by central differences, weight of squared squares (arXiv 2511.13019)";
    const LEARNS: Learns = Learns::Average;

    fn read(r: &mut Reader, about: &About) -> Residual {
        let times = TimeSampler::read(r, 0.25);
        let derivative = Derivative::read(r, Derivative::Central { step: 5e-3 });
        let weight = Weight::read(r, Weight { p: 1.0, eps: 1e-3 });
        let mut residual = residual(times, Velocity::Data, derivative, weight);
        residual.read_teacher(r);
        residual.label_dropout = about.label_dropout(r, 0.1);
        residual
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let case = Case::<B>::new(reference, ([Clock::BothTimes; 2], Told::House), device)?;
        let weight = Weight { p: reference.number("adaptive_p")?, eps: reference.number("adaptive_eps")? };
        let derivative = Derivative::Central { step: reference.number("delta_t")? };
        let velocity =
            if reference.flag("teacher")? { Velocity::Teacher { flow: false } } else { Velocity::Data };
        let residual = residual(given(), velocity, derivative, weight);
        let draws = draws(reference, reference.host("in.t")?, reference.host("in.r")?);
        let out = case.step(&residual, &case.stub, &case.e, &draws);
        reference.found("out.velocity", out.task.velocity.clone());
        reference.found("out.dudt", out.slope.clone());
        reference.found("out.target", out.target.target.clone());
        out.found(reference, &case.stub);
        Ok(())
    }
}

/// Any law, where a file gives the times.
pub(super) fn given() -> TimeSampler {
    let law = TimeLaw::PUBLISHED;
    TimeSampler { t: law, r: law, pairing: Pairing::V0, share: 1.0, split: Split::Prefix }
}
