//! Reference numbers of the flow maps, whose time runs from noise to data, and whose terms have a learned weight.

use super::{FlowMapConfig, Inputs, Residual, Taught};
use crate::{
    objective::{Draws, Reference, ReferenceError, TrainBackend, reversed::Reversed},
    time::{TimeLaw, Times},
};
use burn::{
    module::{AutodiffModule, Param},
    tensor::Tensor,
};

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
    let net = Reversed::<B>::new(reference, "param", None, device)?;
    let twin = Reversed::<B>::new(reference, "teacher", None, device)?;
    let taught = Taught { online: &net, twin: &twin, teacher: &twin.valid() };
    let [velocity, map] = settings.terms::<B, _, _>(&taught, &batch, inputs, &draws);
    if let Some(map) = &map {
        reference.found("out.offdiag_residual", map.clone().inner());
    }
    let residual = Tensor::cat([velocity, map].into_iter().flatten().collect(), 0);

    let w = Param::from_tensor(reference.tensor::<B, 1>("param.w", device)?);
    let [w0, w1, w2] = [0, 1, 2].map(|index| w.val().narrow(0, index, 1).expand([rows]));
    let weight = w0 + w1 * Tensor::from_inner(start) + w2 * Tensor::from_inner(end);
    let rows = residual * weight.clone().neg().exp() + weight;
    let loss = rows.clone().mean();
    reference.found("out.per_sample", rows.inner());
    reference.found("out.loss", loss.clone().inner());
    let gradients = loss.backward();
    reference.found_gradients("grad", &net.stub, &gradients);
    if let Some(gradient) = w.grad(&gradients) {
        reference.found("grad.w", gradient);
    }
    Ok(())
}
