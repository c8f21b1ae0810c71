//! What is common to the kinds of networks trained by MeanFlow.
//!
//! The loss, its target, the guided field and the samples come from `meanflow-core`, so that what is compared is what trains.

use std::collections::BTreeMap;

use burn::{
    module::AutodiffModule,
    tensor::{Int, Tensor},
};
use meanflow_core::precision::Precision;
use meanflow_core::{
    Backbone, Condition, Streams,
    interpolant::linear_path,
    objective::{
        Batch, Derivative, Direction, Draws, GuidanceConfig, MeanFlowConfig, Nets, Objective as _,
        TrainBackend,
    },
    solver::{Field, Fresh, Grid, Solver},
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use meanflow_jvp::Dual;

use super::{
    ParityError,
    inputs::{Order, tensor},
    layout::Layout,
};
use crate::weights::{Names, gradients, on_host, with_shape_of};
use meanflow_parity::{ParityReport, ParityRow, ReferenceFile};
use meanflow_weights::HostTensor;

/// Largest relative error of an output in f32.
const OUTPUT: f64 = 2e-5;
/// Largest relative error of a derivative in f32.
const DERIVATIVE: f64 = 2e-4;

/// Network and inputs of a file, on the device.
pub(super) struct Case<B: TrainBackend, N, M> {
    pub(super) net: N,
    /// What the file calls the weights.
    pub(super) names: M,
    pub(super) x: Tensor<B::InnerBackend, 4>,
    pub(super) e: Tensor<B::InnerBackend, 4>,
    pub(super) labels: Option<Tensor<B::InnerBackend, 1, Int>>,
    pub(super) augment: Option<Tensor<B::InnerBackend, 2>>,
    pub(super) r: Vec<f32>,
    pub(super) t: Vec<f32>,
    pub(super) layout: Layout,
}

/// The product's objective on the file's batch.
struct Objective {
    loss: HostTensor,
    squared: HostTensor,
    gradients: BTreeMap<String, HostTensor>,
}

impl<B, N, M> Case<B, N, M>
where
    B: TrainBackend,
    N: Backbone<B> + AutodiffModule<B, InnerModule: Backbone<B::InnerBackend>>,
    M: Names,
{
    /// Compares every result and gradient of the file; `inputs` are the inputs that have been used.
    pub(super) fn compare(
        &self,
        kind: &str,
        file: &ReferenceFile,
        inputs: &[&str],
    ) -> Result<ParityReport, ParityError> {
        let plain = self.objective(file, None)?;
        let mut rows = Vec::new();
        for (name, reference) in file.with_prefix("out.") {
            let tolerance = if name.starts_with("dudt") { DERIVATIVE } else { OUTPUT };
            let got = match name.as_str() {
                "loss" => Some(plain.loss.clone()),
                "per_sample_sq_error" => Some(plain.squared.clone()),
                _ => self.quantity(&name, file)?,
            };
            rows.push(ParityRow::of(format!("out.{name}"), got, &reference, tolerance));
        }
        for (name, reference) in file.with_prefix("grad.") {
            let got = plain.gradients.get(&name.replace('/', ".")).cloned();
            // The patch kernel's first dimensions are merged here.
            let got = got.map(|gradient| with_shape_of(gradient, &reference));
            rows.push(ParityRow::of(format!("grad.{name}"), got, &reference, DERIVATIVE));
        }
        rows.extend(ParityRow::unhandled(file, inputs, OUTPUT));
        Ok(ParityReport { kind: kind.into(), rows })
    }

    fn condition(&self) -> Condition<B::InnerBackend> {
        Condition { labels: self.labels.clone(), augment: self.augment.clone(), ..Condition::none() }
    }

    /// The result `out.<name>`, if this code knows it.
    fn quantity(&self, name: &str, file: &ReferenceFile) -> Result<Option<HostTensor>, ParityError> {
        let path = linear_path(self.x.clone(), self.e.clone(), self.times(&self.t));
        let instant = |labels| {
            let condition = Condition { labels, ..self.condition() };
            let t = self.times(&self.t);
            self.net.valid().forward(path.z.clone(), t.clone(), t, &condition)
        };
        let guided = || -> Result<_, ParityError> {
            let (z, v) = (path.z.clone(), path.v.clone());
            let dropped = vec![false; self.t.len()];
            Ok(guidance(file)?.field(&self.net.valid(), z, v, &self.t, &self.condition(), &dropped))
        };
        let needs_classes = name.contains("guided") || name == "v_uncond";
        let got = match (name, self.labels.clone()) {
            (_, None) if needs_classes => return Ok(None),
            ("z", _) => path.z,
            ("v", _) => path.v,
            ("u", _) => self.dual(&path.z, path.v.clone()).0,
            ("dudt", _) => self.dual(&path.z, path.v.clone()).1,
            ("v_cond", labels) => instant(labels),
            ("v_uncond", labels) => {
                let null =
                    |labels: Tensor<_, 1, Int>| labels.zeros_like() + self.net.classes().unwrap_or(0) as i32;
                instant(labels.map(null))
            }
            ("v_guided", _) => guided()?,
            ("u_guided", _) => self.dual(&path.z, guided()?).0,
            ("dudt_guided", _) => self.dual(&path.z, guided()?).1,
            ("loss_guided", _) => {
                let guidance = Some(guidance(file)?);
                return Ok(Some(self.objective(file, guidance)?.loss));
            }
            _ => match name.strip_prefix("sample_nfe").map(str::parse) {
                Some(Ok(steps)) if steps > 0 => self.sample(steps),
                _ => return Ok(None),
            },
        };
        Ok(Some(self.layout.to_host(got)))
    }

    /// `u` and `du/dt` at the file's times along `tangent` (tangents `(tangent, 0, 1)` for `(z, r, t)`).
    #[allow(clippy::type_complexity)]
    fn dual(
        &self,
        z: &Tensor<B::InnerBackend, 4>,
        tangent: Tensor<B::InnerBackend, 4>,
    ) -> (Tensor<B::InnerBackend, 4>, Tensor<B::InnerBackend, 4>) {
        let (r, t) = (self.times(&self.r), self.times(&self.t));
        let condition = Condition {
            labels: self.labels.clone().map(Tensor::from_inner),
            augment: self.augment.clone().map(Tensor::from_inner),
            ..Condition::none()
        };
        let u = self.net.forward(
            Tensor::from_inner(z.clone()).with_tangent(Tensor::<B, 4>::from_inner(tangent).value()),
            Tensor::from_inner(r),
            Tensor::from_inner(t.clone()).with_tangent(Tensor::<B, 1>::from_inner(t.ones_like()).value()),
            &condition,
        );
        let (u, dudt) = u.split_tangent();
        (u.inner(), dudt.map_or_else(|| z.zeros_like(), |dudt| Tensor::<B, 4>::from_value(dudt).inner()))
    }

    /// The MeanFlow loss, its per-row errors and its gradients.
    fn objective(
        &self,
        file: &ReferenceFile,
        guidance: Option<GuidanceConfig>,
    ) -> Result<Objective, ParityError> {
        let objective = MeanFlowConfig {
            // The file gives times and labels; nothing is drawn.
            time: TimeLaw::Uniform,
            time_r: None,
            pairing: Pairing::V0,
            share: 0.0,
            split: Split::Prefix,
            weight: Weight { p: file.number("norm_p")?, eps: file.number("norm_eps")? },
            label_dropout: 0.0,
            guidance,
            derivative: Derivative::Jvp,
            tangent: Direction::FLOW,
        };
        let order = Order::new(&self.t, &self.r);
        let indices = order.indices(&self.x.device());
        let draws = Draws {
            noise: on_host(self.e.clone().select(0, indices.clone())).values,
            times: order.times(&self.t, &self.r),
            dropped: vec![false; self.t.len()],
            dropout: None,
            guidance: None,
        };
        let batch = Batch {
            x: self.x.clone().select(0, indices.clone()),
            labels: self.labels.clone().map(|labels| labels.select(0, indices.clone())),
            augment: self.augment.clone().map(|augment| augment.select(0, indices)),
            precision: Precision::Full,
        };
        let nets = Nets { online: &self.net, frozen: &self.net.valid(), teachers: &[] };
        let step = objective.loss::<B, _, _>(&nets, batch, &draws);
        let squared = step.measure("raw").expect("MeanFlow measures its error");
        Ok(Objective {
            gradients: gradients::<B, _>(&self.net, &self.names, step.loss.backward()),
            loss: on_host(step.loss.inner()),
            squared: order.restore(on_host(squared)),
        })
    }

    /// The sample that the file's noise flows to in `steps` equal steps; never augmented.
    fn sample(&self, steps: usize) -> Tensor<B::InnerBackend, 4> {
        let condition = Condition { labels: self.labels.clone(), ..Condition::none() };
        let (net, grid) = (self.net.valid(), Grid::uniform(steps));
        let fresh = Fresh { streams: &Streams::new(0), row: 0 };
        Solver::MeanFlow.sample(&Field::new(&net, condition), self.e.clone(), &grid, fresh)
    }

    fn times(&self, values: &[f32]) -> Tensor<B::InnerBackend, 1> {
        tensor(values, &self.x.device())
    }
}

/// Guidance as the metadata gives it; it acts at all times.
fn guidance(file: &ReferenceFile) -> Result<GuidanceConfig, ParityError> {
    Ok(GuidanceConfig { omega: file.number("omega")?, kappa: file.number("kappa")?, interval: [0.0, 1.0] })
}
