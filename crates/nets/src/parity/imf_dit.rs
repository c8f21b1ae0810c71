//! Kind `imf-dit`: the official JAX improved-MeanFlow transformer (`Lyy-iiis/imeanflow`) on random weights, in float32.

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor};
use meanflow_core::precision::Precision;
use meanflow_core::{
    Backbone, Condition, Guidance, Streams,
    interpolant::{linear_path, per_row as over_pixels},
    objective::{Batch, Draws, GuidanceDraws, ImfConfig, Nets, Objective as _, TrainBackend, Velocities},
    solver::{Field, Fresh, Grid, Solver},
    time::{Pairing, Split, TimeLaw, Times},
    weight::Weight,
};
use meanflow_jvp::Dual;
use meanflow_weights::HostTensor;
use serde::Deserialize;

use super::{
    ParityError,
    inputs::{Order, labels, per_row, sound, tensor},
    layout::Layout,
};
use crate::{
    ImfDit, ImfDitConfig,
    flax::ImfDitNames,
    init::Init,
    weights::{self, gradients, on_host, with_shape_of},
};
use burn::module::AutodiffModule;
use meanflow_parity::{ParityReport, ParityRow, ReferenceFile};

pub(super) const KIND: &str = "imf-dit";

/// Largest relative error of an output in f32, the reference being in f32 too.
const OUTPUT: f64 = 4e-5;
/// Largest relative error of a derivative.
const DERIVATIVE: f64 = 4e-4;

const INPUTS: [&str; 8] = ["in.x", "in.e", "in.t", "in.r", "in.y", "in.omega", "in.t_min", "in.t_max"];

/// The reference's own configuration, under its own names.
#[derive(Deserialize)]
struct Config {
    input_size: usize,
    patch_size: usize,
    in_channels: usize,
    hidden_size: usize,
    depth: usize,
    num_heads: usize,
    mlp_ratio: f64,
    num_classes: usize,
    aux_head_depth: usize,
    num_class_tokens: usize,
    num_time_tokens: usize,
    num_cfg_tokens: usize,
    num_interval_tokens: usize,
}

/// Network and inputs of the file, on the device.
struct Case<B: TrainBackend> {
    net: ImfDit<B>,
    x: Tensor<B::InnerBackend, 4>,
    e: Tensor<B::InnerBackend, 4>,
    labels: Tensor<B::InnerBackend, 1, Int>,
    guidance: GuidanceDraws,
    r: Vec<f32>,
    t: Vec<f32>,
    layout: Layout,
}

/// What the network says at the file's times.
struct Outputs<B: TrainBackend> {
    u: Tensor<B::InnerBackend, 4>,
    head: Tensor<B::InnerBackend, 4>,
    dudt: Tensor<B::InnerBackend, 4>,
    own: Velocities<B::InnerBackend>,
}

/// The product's objective on the file's batch.
struct Objective {
    loss: HostTensor,
    squared: HostTensor,
    head: HostTensor,
    gradients: BTreeMap<String, HostTensor>,
}

pub(super) fn compare<B: TrainBackend>(
    file: &ReferenceFile,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let case = Case::<B>::new(file, device)?;
    let (outputs, objective) = (case.outputs(), case.objective(file)?);
    let mut rows = Vec::new();
    for (name, reference) in file.with_prefix("out.") {
        let tolerance = if ["dudt", "V"].contains(&name.as_str()) { DERIVATIVE } else { OUTPUT };
        let got = match name.as_str() {
            "loss" => Some(objective.loss.clone()),
            "per_sample_sq_error_u" => Some(objective.squared.clone()),
            "per_sample_sq_error_v" => Some(objective.head.clone()),
            _ => case.quantity(&name, &outputs).map(|got| case.layout.to_host(got)),
        };
        rows.push(ParityRow::of(format!("out.{name}"), got, &reference, tolerance));
    }
    for (name, reference) in file.with_prefix("grad.") {
        let got = objective.gradients.get(&name.replace('/', ".")).cloned();
        // The patch kernel's first dimensions are merged here.
        let got = got.map(|gradient| with_shape_of(gradient, &reference));
        rows.push(ParityRow::of(format!("grad.{name}"), got, &reference, DERIVATIVE));
    }
    rows.extend(ParityRow::unhandled(file, &INPUTS, OUTPUT));
    Ok(ParityReport { kind: KIND.into(), rows })
}

impl<B: TrainBackend> Case<B> {
    fn new(file: &ReferenceFile, device: &B::Device) -> Result<Self, ParityError> {
        let config: Config = file.json("config")?;
        let layout = Layout::of(file)?;
        let shape = [config.in_channels, config.input_size, config.input_size];
        let classes = config.num_classes;
        let config = ImfDitConfig {
            patch: config.patch_size,
            width: config.hidden_size,
            depth: config.depth,
            head_depth: config.aux_head_depth,
            heads: config.num_heads,
            mlp_ratio: config.mlp_ratio,
            class_tokens: config.num_class_tokens,
            scale_tokens: config.num_cfg_tokens,
            interval_tokens: config.num_interval_tokens,
            time_tokens: config.num_time_tokens,
        };
        sound(&config, shape)?;
        let batch = file.tensor("in.t")?.values.len();
        let net = ImfDit::<B>::new(&config, shape, Some(classes), &Init::new(&Streams::new(0), device));
        Ok(Self {
            net: weights::load(net, &ImfDitNames, &file.with_prefix("param."))?,
            x: layout.images(file, "in.x", batch, shape, device)?,
            e: layout.images(file, "in.e", batch, shape, device)?,
            labels: labels(file, classes, batch, device)?,
            guidance: GuidanceDraws {
                omega: per_row(file, "in.omega", batch)?,
                t_min: per_row(file, "in.t_min", batch)?,
                t_max: per_row(file, "in.t_max", batch)?,
            },
            r: per_row(file, "in.r", batch)?,
            t: per_row(file, "in.t", batch)?,
            layout,
        })
    }

    fn z(&self) -> Tensor<B::InnerBackend, 4> {
        linear_path(self.x.clone(), self.e.clone(), self.times(&self.t)).z
    }

    fn outputs(&self) -> Outputs<B> {
        // The reference's tangent takes the interval into account in every row.
        let omega = self.guidance.acting(&Times { t: self.t.clone(), r: self.r.clone(), still: 0 });
        let own = self.velocities(&omega);
        let (r, t) = (self.times(&self.r), self.times(&self.t));
        let condition = Condition::labels(Tensor::from_inner(self.labels.clone()))
            .with_guidance(self.guidance().map(Tensor::from_inner));
        let heads = self.net.heads(
            Tensor::from_inner(self.z())
                .with_tangent(Tensor::<B, 4>::from_inner(own.conditional.clone()).value()),
            Tensor::from_inner(r),
            Tensor::from_inner(t.clone()).with_tangent(Tensor::<B, 1>::from_inner(t.ones_like()).value()),
            &condition,
            Dual::without_tangent,
        );
        let (u, dudt) = heads.u.split_tangent();
        Outputs {
            u: u.inner(),
            head: heads.v.expect("this network has an auxiliary head").inner(),
            dudt: Tensor::<B, 4>::from_value(dudt.expect("u depends on z and t")).inner(),
            own,
        }
    }

    /// The result `out.<name>`, if this code knows it.
    fn quantity(&self, name: &str, outputs: &Outputs<B>) -> Option<Tensor<B::InnerBackend, 4>> {
        let (r, t) = (self.times(&self.r), self.times(&self.t));
        Some(match name {
            "z" => self.z(),
            "v" => self.e.clone() - self.x.clone(),
            "u" => outputs.u.clone(),
            "v_head" => outputs.head.clone(),
            "dudt" => outputs.dudt.clone(),
            "V" => outputs.u.clone() + outputs.dudt.clone() * over_pixels(t - r),
            "v_cond" => outputs.own.conditional.clone(),
            "v_uncond" => outputs.own.unconditional.clone()?.v,
            "v_guided" => self.guided(),
            _ => match name.strip_prefix("sample_nfe").map(str::parse) {
                Some(Ok(steps)) if steps > 0 => self.sample(steps),
                _ => return None,
            },
        })
    }

    fn velocities(&self, omega: &[f32]) -> Velocities<B::InnerBackend> {
        let condition = Condition::labels(self.labels.clone());
        let all = (0..omega.len()).collect();
        Velocities::new(&self.net.valid(), self.z(), self.times(&self.t), omega, all, &condition)
    }

    /// The guided velocity; where `r = t`, the scale acts whatever the interval.
    fn guided(&self) -> Tensor<B::InnerBackend, 4> {
        let inside = self.guidance.acting(&Times { t: self.t.clone(), r: self.r.clone(), still: 0 });
        let row =
            |row: usize| if self.r[row] == self.t[row] { self.guidance.omega[row] } else { inside[row] };
        let omega: Vec<f32> = (0..inside.len()).map(row).collect();
        self.velocities(&omega).guided(self.e.clone() - self.x.clone(), &omega)
    }

    fn objective(&self, file: &ReferenceFile) -> Result<Objective, ParityError> {
        let objective = ImfConfig {
            // The file gives times, labels and guidance; nothing is drawn.
            time: TimeLaw::Uniform,
            time_r: None,
            pairing: Pairing::V0,
            share: 0.0,
            split: Split::Prefix,
            weight: Weight { p: file.number("norm_p")?, eps: file.number("norm_eps")? },
            label_dropout: 0.0,
            guidance: None,
            data: None,
        };
        let order = Order::new(&self.t, &self.r);
        let indices = order.indices(&self.x.device());
        let draws = Draws {
            noise: on_host(self.e.clone().select(0, indices.clone())).values,
            times: order.times(&self.t, &self.r),
            dropped: vec![false; self.t.len()],
            dropout: None,
            guidance: Some(GuidanceDraws {
                omega: order.pick(&self.guidance.omega),
                t_min: order.pick(&self.guidance.t_min),
                t_max: order.pick(&self.guidance.t_max),
            }),
        };
        let batch = Batch {
            x: self.x.clone().select(0, indices.clone()),
            labels: Some(self.labels.clone().select(0, indices)),
            augment: None,
            precision: Precision::Full,
        };
        let nets = Nets { online: &self.net, frozen: &self.net.valid(), teachers: &[] };
        let step = objective.loss::<B, _, _>(&nets, batch, &draws);
        let squared = step.measure("raw").expect("iMF measures its error");
        let head = step.measure("head").expect("this network has an auxiliary head");
        Ok(Objective {
            gradients: gradients::<B, _>(&self.net, &ImfDitNames, step.loss.backward()),
            loss: on_host(step.loss.inner()),
            squared: order.restore(on_host(squared)),
            head: order.restore(on_host(head)),
        })
    }

    /// The sample that the file's noise flows to in `steps` equal steps.
    fn sample(&self, steps: usize) -> Tensor<B::InnerBackend, 4> {
        let condition = Condition::labels(self.labels.clone()).with_guidance(self.guidance());
        let (net, fresh) = (self.net.valid(), Fresh { streams: &Streams::new(0), row: 0 });
        Solver::MeanFlow.sample(&Field::new(&net, condition), self.e.clone(), &Grid::uniform(steps), fresh)
    }

    fn guidance(&self) -> Guidance<B::InnerBackend> {
        self.guidance.on_device(&self.x.device())
    }

    fn times(&self, values: &[f32]) -> Tensor<B::InnerBackend, 1> {
        tensor(values, &self.x.device())
    }
}
