//! Reference numbers of the flow maps, whose time runs from noise to data, and whose terms have a learned weight.

use super::{FlowMapConfig, Inputs, Residual, Taught};
use crate::{
    Clock,
    objective::{
        Draws, Reference, ReferenceError, TrainBackend,
        reference::{Stub, Told},
    },
    time::{TimeLaw, Times},
};
use burn::module::AutodiffModule;

/// `e^(−w)·R + w` of every row with `w = w₀ + w₁·s + w₂·t`, in their times.
pub(super) fn compare<B: TrainBackend, R: Residual>(
    reference: &mut Reference,
    device: &B::Device,
) -> Result<(), ReferenceError> {
    if reference.word("interpolant")? != "linear" {
        return Err(ReferenceError::Constant("interpolant".to_owned()));
    }
    let settings = FlowMapConfig {
        share: 1.0 - reference.number("diag_fraction")?,
        // The file gives the times.
        time: TimeLaw::Uniform,
        label_dropout: 0.0,
        learned_weight: true,
        residual: R::of(reference)?,
    };
    let (s, t) = (reference.host("in.s")?, reference.host("in.t")?);
    let rows = s.len();
    let has_point_between = settings.residual.split(0.0).is_some();
    if has_point_between {
        let h = reference.host("in.h")?;
        let between = h.iter().zip(s.iter().zip(&t)).map(|(h, (s, t))| h * s + (1.0 - h) * t);
        reference.found_host("in.u", between.collect());
    }
    let column = |name| reference.column::<B::InnerBackend>(name, device);
    let (start, end) = (column("in.s")?, column("in.t")?);
    let inputs = Inputs {
        e: reference.tensor("in.e", device)?,
        t: -start.clone() + 1.0,
        r: -end.clone() + 1.0,
        beyond: if has_point_between { Some(column("in.h")?) } else { None },
    };
    let draws = Draws {
        noise: Vec::new(),
        times: Times { t: Vec::new(), r: Vec::new(), still: reference.number("num_diagonal")? as usize },
        dropped: vec![false; rows],
        dropout: None,
        guidance: None,
    };
    let batch = reference.batch(device)?;
    let stub = |prefix| {
        let stub = Stub::<B>::new(reference, prefix, Clock::BothTimes, device)?;
        Ok(stub.told(Told::Reversed))
    };
    let (net, twin) = (stub("param")?, stub("teacher")?);
    let taught = Taught { online: &net, twin: &twin, teacher: &twin.valid() };
    let terms = settings.terms::<B, _, _>(&taught, &batch, inputs, &draws);
    if let Some(map) = terms.map {
        reference.found("out.offdiag_residual", map);
    }
    reference.found("out.per_sample", terms.rows.clone().inner());
    reference.found_loss(&net, terms.rows.mean());
    Ok(())
}
