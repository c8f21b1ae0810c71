//! Kind `dit-meanflow`: the official JAX MeanFlow DiT (`Gsunshine/meanflow`) on random weights.
//!
//! The loss, its target, the guided field and the samples come from `meanflow-core`, so that what is compared is what trains.

use std::collections::BTreeMap;

use burn::{
    module::{AutodiffModule, Module, ModuleVisitor, Param},
    tensor::{
        Int, Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_core::{
    Backbone, Condition, Streams,
    interpolant::linear_path,
    objective::{Batch, Draws, GuidanceConfig, MeanFlowConfig, TrainBackend},
    solver::{Grid, Solver},
    time::{Pairing, Split, TimeLaw, Times},
    weight::Weight,
};
use meanflow_jvp::Dual;
use serde::Deserialize;

use super::{
    ParityError,
    file::ReferenceFile,
    report::{Discrepancy, ParityReport, ParityRow},
};
use crate::{
    Dit, DitConfig,
    config::NetConfig,
    flax::{self, HostTensor, Path},
    init::Init,
};

pub(super) const KIND: &str = "dit-meanflow";

/// Largest relative error of an output in f32.
const OUTPUT: f64 = 2e-5;
/// Largest relative error of a derivative in f32.
const DERIVATIVE: f64 = 2e-4;

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
}

/// Network and inputs of the file, on the device.
struct Case<B: TrainBackend> {
    net: Dit<B>,
    x: Tensor<B::InnerBackend, 4>,
    e: Tensor<B::InnerBackend, 4>,
    labels: Tensor<B::InnerBackend, 1, Int>,
    r: Vec<f32>,
    t: Vec<f32>,
    layout: Layout,
}

pub(super) fn compare<B: TrainBackend>(
    file: &ReferenceFile,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let case = Case::<B>::new(file, device)?;
    let plain = case.objective(file, None)?;
    let mut rows = Vec::new();
    for (name, reference) in file.with_prefix("out.") {
        let tolerance = if name.starts_with("dudt") { DERIVATIVE } else { OUTPUT };
        let got = match name.as_str() {
            "loss" => Some(plain.loss.clone()),
            "per_sample_sq_error" => Some(plain.squared.clone()),
            _ => case.quantity(&name, file)?,
        };
        rows.push(row(format!("out.{name}"), got, reference, tolerance));
    }
    for (name, reference) in file.with_prefix("grad.") {
        let got = plain.gradients.get(&name.replace('/', ".")).cloned();
        // The patch kernel's first dimensions are merged here.
        let got = got.map(|gradient| gradient.with_shape_of(&reference));
        rows.push(row(format!("grad.{name}"), got, reference, DERIVATIVE));
    }
    let known = |name: &str| {
        ["in.x", "in.e", "in.t", "in.r", "in.y"].contains(&name)
            || ["out.", "grad.", "param."].iter().any(|prefix| name.starts_with(prefix))
    };
    for name in file.names().filter(|name| !known(name)) {
        rows.push(ParityRow::failed(name.into(), Discrepancy::Unhandled, OUTPUT));
    }
    Ok(ParityReport { kind: KIND.into(), rows })
}

fn row(name: String, got: Option<HostTensor>, reference: HostTensor, tolerance: f64) -> ParityRow {
    match got {
        Some(got) => ParityRow::compare(name, &got, &reference, tolerance),
        None => ParityRow::failed(name, Discrepancy::Unhandled, tolerance),
    }
}

/// The product's objective on the file's batch.
struct Objective {
    loss: HostTensor,
    squared: HostTensor,
    gradients: BTreeMap<String, HostTensor>,
}

impl<B: TrainBackend> Case<B> {
    fn new(file: &ReferenceFile, device: &B::Device) -> Result<Self, ParityError> {
        let config: Config = serde_json::from_str(file.metadata("config")?)
            .map_err(|error| ParityError::Metadata { key: "config".into(), reason: error.to_string() })?;
        let layout = Layout::named(file.metadata("layout")?)?;
        let size = config.input_size;
        let shape = [config.in_channels, size, size];
        let classes = config.num_classes;
        let config = DitConfig {
            patch: config.patch_size,
            width: config.hidden_size,
            depth: config.depth,
            heads: config.num_heads,
            mlp_ratio: config.mlp_ratio,
        };
        NetConfig::Dit(config.clone()).check(shape)?;

        let batch = file.tensor("in.t")?.values.len();
        let images = |name: &str| -> Result<_, ParityError> {
            let values = file.shaped(name, &layout.shape(batch, shape))?;
            let [c, h, w] = shape;
            let data = TensorData::new(layout.to_nchw(values, batch, shape), [batch, c, h, w]);
            Ok(Tensor::from_data(data, device))
        };
        let labels = file.shaped("in.y", &[batch])?;
        if let Some(label) = labels.iter().find(|y| !(0.0..=classes as f32).contains(*y)) {
            return Err(ParityError::Tensor {
                name: "in.y".into(),
                reason: format!("class {label} is none of {classes} classes and the null class"),
            });
        }
        let labels: Vec<i32> = labels.iter().map(|y| *y as i32).collect();
        let net = Dit::new(&config, shape, Some(classes), &Init::new(&Streams::new(0), device));
        Ok(Self {
            net: flax::load(net, &file.with_prefix("param."))?,
            x: images("in.x")?,
            e: images("in.e")?,
            labels: Tensor::from_data(TensorData::new(labels, [batch]), device),
            r: file.shaped("in.r", &[batch])?.to_vec(),
            t: file.shaped("in.t", &[batch])?.to_vec(),
            layout,
        })
    }

    /// The result `out.<name>`, if this code knows it.
    fn quantity(&self, name: &str, file: &ReferenceFile) -> Result<Option<HostTensor>, ParityError> {
        let path = linear_path(self.x.clone(), self.e.clone(), self.times(&self.t));
        let null = self.labels.zeros_like() + self.net.classes().unwrap_or(0) as i32;
        let instant = |labels| {
            let (t, condition) = (self.times(&self.t), Condition::labels(labels));
            self.net.valid().forward(path.z.clone(), t.clone(), t, &condition)
        };
        let guided = || -> Result<_, ParityError> {
            let condition = Condition::labels(self.labels.clone());
            let (z, v) = (path.z.clone(), path.v.clone());
            Ok(guidance(file)?.field(&self.net.valid(), z, v, &self.t, &condition, 0))
        };
        let got = match name {
            "z" => path.z,
            "v" => path.v,
            "u" => self.dual(&path.z, path.v.clone()).0,
            "dudt" => self.dual(&path.z, path.v.clone()).1,
            "v_cond" => instant(self.labels.clone()),
            "v_uncond" => instant(null),
            "v_guided" => guided()?,
            "u_guided" => self.dual(&path.z, guided()?).0,
            "dudt_guided" => self.dual(&path.z, guided()?).1,
            "loss_guided" => {
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
        let u = self.net.forward(
            Tensor::from_inner(z.clone()).with_tangent(tangent),
            Tensor::from_inner(r),
            Tensor::from_inner(t.clone()).with_tangent(t.ones_like()),
            &Condition::labels(Tensor::from_inner(self.labels.clone())),
        );
        let (u, dudt) = u.split_tangent();
        (u.inner(), dudt.unwrap_or_else(|| z.zeros_like()))
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
        };
        // The objective wants the rows with r = t first.
        let rows = self.t.len();
        let (mut order, moved): (Vec<usize>, Vec<usize>) =
            (0..rows).partition(|row| self.r[*row] == self.t[*row]);
        let still = order.len();
        order.extend(moved);
        let indices: Vec<i32> = order.iter().map(|row| *row as i32).collect();
        let indices = Tensor::<_, 1, Int>::from_data(TensorData::new(indices, [rows]), &self.x.device());
        let pick = |values: &[f32]| order.iter().map(|row| values[*row]).collect::<Vec<_>>();
        let draws = Draws {
            noise: host(self.e.clone().select(0, indices.clone())).values,
            times: Times { t: pick(&self.t), r: pick(&self.r), still },
            dropped: 0,
        };
        let batch = Batch {
            x: self.x.clone().select(0, indices.clone()),
            labels: Some(self.labels.clone().select(0, indices)),
        };
        let step = objective.loss(&self.net, batch, &draws);
        let mut squared = vec![0.0; rows];
        for (row, value) in order.iter().zip(host(step.squared).values) {
            squared[*row] = value;
        }
        let mut gradients =
            Gradients { tape: step.loss.backward(), path: Path::default(), found: BTreeMap::new() };
        self.net.visit(&mut gradients);
        Ok(Objective {
            loss: host(step.loss.inner()),
            squared: HostTensor { shape: vec![rows], values: squared },
            gradients: gradients.found,
        })
    }

    /// The sample that the file's noise flows to in `steps` equal steps.
    fn sample(&self, steps: usize) -> Tensor<B::InnerBackend, 4> {
        let condition = Condition::labels(self.labels.clone());
        let (net, grid) = (self.net.valid(), Grid::uniform(steps));
        Solver::MeanFlow.sample(&net, self.e.clone(), &grid, &condition)
    }

    fn times(&self, values: &[f32]) -> Tensor<B::InnerBackend, 1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &self.x.device())
    }
}

/// Guidance as the metadata gives it; it acts at all times.
fn guidance(file: &ReferenceFile) -> Result<GuidanceConfig, ParityError> {
    Ok(GuidanceConfig { omega: file.number("omega")?, kappa: file.number("kappa")?, interval: [0.0, 1.0] })
}

/// Collects gradients by the Flax name of their parameter.
struct Gradients<B: AutodiffBackend> {
    tape: B::Gradients,
    path: Path,
    found: BTreeMap<String, HostTensor>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Gradients<B> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        // A parameter that the loss does not depend on has none.
        let value = param.val();
        let gradient = value.grad(&self.tape).unwrap_or_else(|| value.inner().zeros_like());
        self.found.insert(self.path.flax_name(), host(gradient));
    }
}

/// The order of an image's dimensions in the file.
#[derive(Clone, Copy)]
enum Layout {
    Nchw,
    Nhwc,
}

impl Layout {
    fn named(name: &str) -> Result<Self, ParityError> {
        match name {
            "NCHW" => Ok(Self::Nchw),
            "NHWC" => Ok(Self::Nhwc),
            other => Err(ParityError::Metadata {
                key: "layout".into(),
                reason: format!("`{other}` is neither NCHW nor NHWC"),
            }),
        }
    }

    fn shape(self, batch: usize, [c, h, w]: [usize; 3]) -> [usize; 4] {
        match self {
            Self::Nchw => [batch, c, h, w],
            Self::Nhwc => [batch, h, w, c],
        }
    }

    fn to_nchw(self, values: &[f32], batch: usize, [c, h, w]: [usize; 3]) -> Vec<f32> {
        match self {
            Self::Nchw => values.to_vec(),
            Self::Nhwc => {
                let mut out = Vec::with_capacity(values.len());
                for image in 0..batch {
                    for channel in 0..c {
                        let pixel = |p| values[(image * h * w + p) * c + channel];
                        out.extend((0..h * w).map(pixel));
                    }
                }
                out
            }
        }
    }

    /// Images `[batch, channels, height, width]` in this layout, on the host.
    fn to_host<B: Backend>(self, images: Tensor<B, 4>) -> HostTensor {
        host(match self {
            Self::Nchw => images,
            Self::Nhwc => images.permute([0, 2, 3, 1]),
        })
    }
}

fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> HostTensor {
    HostTensor {
        shape: tensor.dims().to_vec(),
        values: tensor.into_data().convert::<f32>().into_vec().expect("converted to f32"),
    }
}
