//! Step times of the yardstick networks, and of the variants of an experiment.
//!
//! The step holds what a training step holds: fresh draws, loss, backward pass, Adam and one average of the weights.

use crate::{
    BuiltIn, Kinds, TrainError,
    config::{EmaConfig, EvalConfig, InitConfig, Lite0, Resolved, TrainConfig, Variant},
    step::Trainer,
};
use burn::{
    backend::{Autodiff, Flex, flex::FlexDevice},
    module::AutodiffModule,
    optim::GradientsParams,
    tensor::{
        Distribution, Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_core::{
    Backbone, Condition, Solver, Streams,
    interpolant::{linear_path, squared_norm},
    objective::{
        Coupling, Derivative, Direction, FlowMatchingConfig, MeanFlowConfig, ObjectiveConfig, TrainBackend,
    },
    precision::Precision,
    solver::{Field, Fresh, Grid, Spacing},
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use meanflow_data::{DataConfig, Description, FashionMnistConfig, HostBatch};
use meanflow_generator::label_tensor;
use meanflow_nets::{DitConfig, Net, NetConfig, Networks as _, UnetConfig};
use meanflow_optim::{
    Adam, AdamConfig, Optim, OptimizerConfig,
    ema::{self, Profile},
};
use std::time::Instant;

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// A step of the objective of an experiment.
    Step,
    /// A flow-matching step.
    FlowMatching,
    /// A MeanFlow step with 25 % of the rows differentiated.
    MeanFlow,
    /// One-step sampling without gradient.
    Sample,
}

/// A yardstick: a network and the shape of its samples.
#[derive(Clone, Debug)]
pub struct Yardstick {
    /// Name.
    pub name: &'static str,
    /// The network.
    pub net: NetConfig,
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Classes.
    pub classes: usize,
}

impl Job {
    /// The jobs of a yardstick, by their names on the command line, each with the rows that are differentiated along the flow.
    pub const NAMES: [(&'static str, Self, &'static str); 3] = [
        ("fm", Self::FlowMatching, "none"),
        ("meanflow", Self::MeanFlow, "needed"),
        ("sample", Self::Sample, "none"),
    ];
}

impl Yardstick {
    /// Names of the yardsticks.
    pub const NAMES: [&'static str; 6] = ["dit", "unet", "dit-s2", "dit-b4", "dit-xl2", "unet-cifar"];

    /// A yardstick by its name: `dit` and `unet` stand for CPU work, `dit-…` for ImageNet-256 latents, `unet-cifar` for CIFAR-10.
    pub fn named(name: &str) -> Option<Self> {
        let name = Self::NAMES.into_iter().find(|known| *known == name)?;
        let small = DitConfig { patch: 4, ..DitConfig::preset("tiny2")? };
        let dit = |config, shape, classes| Self { name, net: NetConfig::Dit(config), shape, classes };
        let unet = |config, shape| Self { name, net: NetConfig::Unet(config), shape, classes: 10 };
        Some(match name {
            "dit" => dit(small, [1, 32, 32], 10),
            "unet" => unet(UnetConfig::preset("tiny")?, [1, 32, 32]),
            "unet-cifar" => unet(UnetConfig::preset("cifar10")?, [3, 32, 32]),
            _ => dit(DitConfig::preset(name.strip_prefix("dit-")?)?, [4, 32, 32], 1000),
        })
    }

    /// Trainable parameters.
    pub fn parameters(&self) -> usize {
        self.net.parameters(self.shape, Some(self.classes))
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Net<B, NetConfig>, TrainError> {
        Ok(self.net.init(self.shape, Some(self.classes), &Streams::new(0), device)?)
    }

    /// The run whose step is timed, over so many rows in so many parts.
    pub fn variant(&self, job: Job, batch: usize, microbatches: usize) -> Variant {
        // Longer than anybody times.
        let steps = 1_000_000;
        let weight = Weight { p: 1.0, eps: 1e-2 };
        let time = TimeLaw::Uniform;
        let objective = match job {
            Job::MeanFlow => ObjectiveConfig::MeanFlow(MeanFlowConfig {
                time,
                time_r: None,
                pairing: Pairing::V0,
                share: 0.25,
                split: Split::Prefix,
                weight,
                label_dropout: 0.0,
                guidance: None,
                derivative: Derivative::Jvp,
                tangent: Direction::FLOW,
            }),
            _ => ObjectiveConfig::FlowMatching(FlowMatchingConfig {
                time,
                weight,
                label_dropout: 0.0,
                coupling: Coupling::Off,
            }),
        };
        Variant {
            name: self.name.to_owned(),
            seed: 0,
            data: DataConfig::new(FashionMnistConfig::default()),
            description: Description { shape: self.shape, classes: Some(self.classes), items: None },
            net: self.net.clone(),
            init: InitConfig::default(),
            objective,
            train: TrainConfig {
                batch,
                microbatches,
                precision: Precision::Full,
                steps,
                clip: None,
                checkpoint: steps,
                keep_last: 1,
                keep_every: None,
                log: steps,
            },
            optimizer: OptimizerConfig::Adam(Adam(ADAM)),
            ema: vec![EmaConfig {
                profile: Profile::Constant { decay: EMA, ramp: false },
                label: EMA.to_string(),
            }],
            eval: EvalConfig {
                guidance: None,
                every: steps,
                samples: 2,
                nfe: vec![1],
                solver: Solver::MeanFlow,
                times: Spacing::Uniform,
                seed: 0,
                metrics: Vec::new(),
                repeats: 0,
                grid: 1,
                efflite0: Lite0::Off,
                inception: None,
                classifier: None,
            },
            resolved: Resolved::default(),
        }
    }
}

/// A host batch of noise, with labels from the first ten classes.
fn noise([channels, height, width]: [usize; 3], classes: Option<usize>, rows: usize) -> HostBatch {
    HostBatch {
        samples: Streams::new(1).normal("bench-data", 0, rows * channels * height * width),
        shape: [rows, channels, height, width],
        labels: classes.map(|classes| (0..rows).map(|row| row % classes.min(10)).collect()),
        augment: None,
    }
}

const ADAM: AdamConfig = AdamConfig {
    lr: 1e-4,
    betas: [0.9, 0.95],
    eps: 1e-8,
    warmup: 0,
    weight_decay: 0.0,
    weight_decay_except: Vec::new(),
};
const EMA: f64 = 0.9999;

/// Something that is timed step by step.
pub trait Timed {
    /// Does one step and waits for the device; milliseconds.
    fn step(&mut self) -> f64;
}

/// Times of `steps` steps after three that do not count, in milliseconds, sorted.
pub fn time(job: &mut dyn Timed, steps: usize, mut progress: impl FnMut()) -> Vec<f64> {
    for _ in 0..3 {
        job.step();
        progress();
    }
    let mut times: Vec<f64> = (0..steps)
        .map(|_| {
            progress();
            job.step()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Ratios `a/b` of steps taken in turn (a b, b a, a b, …), sorted, so that a drift of the machine's speed falls out.
fn pairs(a: &mut dyn Timed, b: &mut dyn Timed, pairs: usize, mut progress: impl FnMut()) -> Vec<f64> {
    for _ in 0..2 {
        a.step();
        b.step();
    }
    let mut ratios: Vec<f64> = (0..pairs)
        .map(|pair| {
            progress();
            if pair.is_multiple_of(2) {
                let first = a.step();
                first / b.step()
            } else {
                let second = b.step();
                a.step() / second
            }
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// What the product's steps cost beside others on the processor, `B` there: named ratios of paired steps, sorted.
///
/// # Errors
/// If a network cannot be made.
pub fn on_the_processor<B: TrainBackend<Device = FlexDevice>>(
    yardstick: &Yardstick,
    batch: usize,
    microbatches: usize,
    count: usize,
    mut progress: impl FnMut(),
) -> Result<[(&'static str, Vec<f64>); 2], TrainError> {
    let product = |job| Product::<B>::new(yardstick.variant(job, batch, microbatches), job, &FlexDevice);
    let objectives =
        pairs(&mut product(Job::MeanFlow)?, &mut product(Job::FlowMatching)?, count, &mut progress);
    let mut with = Plain::<B>::new(yardstick, batch, &FlexDevice)?;
    let mut without = Plain::<Autodiff<Flex>>::new(yardstick, batch, &FlexDevice)?;
    let decorated = pairs(&mut with, &mut without, count, progress);
    Ok([("meanflow/fm", objectives), ("jvp<autodiff<flex>>/autodiff<flex>", decorated)])
}

/// A small product on a device, with the time of its answer in seconds.
///
/// # Errors
/// A device that does not answer.
pub fn probe<B: Backend>(device: &B::Device) -> Result<f64, burn::tensor::backend::ExecutionError> {
    let ones = || Tensor::<B, 2>::ones([64, 64], device);
    let _ = ones().matmul(ones()).into_data();
    let start = Instant::now();
    let _ = ones().matmul(ones()).into_data();
    B::sync(device)?;
    Ok(start.elapsed().as_secs_f64())
}

/// The product's own training step, or one-step sampling.
pub struct Product<B: TrainBackend, K: Kinds = BuiltIn> {
    variant: Variant<K>,
    batch: HostBatch,
    job: Job,
    trainer: Option<Trainer<B, K>>,
    step: u64,
    device: B::Device,
}

impl<B: TrainBackend, K: Kinds> Product<B, K> {
    /// The job on a variant, on noise with the shape and classes of its data, from fresh weights.
    ///
    /// # Errors
    /// If the network cannot be made, or a frozen teacher cannot be read.
    pub fn new(variant: Variant<K>, job: Job, device: &B::Device) -> Result<Self, TrainError> {
        let Description { shape, classes, .. } = variant.description;
        let batch = noise(shape, classes, variant.train.batch);
        let net = variant.net.init(shape, classes, &Streams::new(0), device)?;
        let mut trainer = Trainer::new(net, &variant);
        trainer.load_teachers(&variant, shape, device)?;
        Ok(Self { variant, batch, job, trainer: Some(trainer), step: 0, device: device.clone() })
    }

    fn sample(&self, trainer: &Trainer<B, K>) -> Vec<f32> {
        let net = trainer.net.valid();
        let z =
            Tensor::from_data(TensorData::new(self.batch.samples.clone(), self.batch.shape), &self.device);
        let labels = self.batch.labels.as_deref().unwrap_or_default();
        let field = Field::new(&net, Condition::labels(label_tensor(labels, &self.device)));
        let fresh = Fresh { streams: &trainer.streams, row: 0 };
        Solver::MeanFlow
            .sample(&field, z, &Grid::uniform(1), fresh)
            .into_data()
            .iter::<f32>()
            .take(1)
            .collect()
    }
}

impl<B: TrainBackend, K: Kinds> Timed for Product<B, K> {
    fn step(&mut self) -> f64 {
        let trainer = self.trainer.take().expect("put back below");
        let start = Instant::now();
        let trainer = if self.job == Job::Sample {
            self.sample(&trainer);
            trainer
        } else {
            let (trainer, measured) =
                trainer.step(&self.variant, self.step, self.batch.clone(), &self.device);
            let _: Vec<f32> = measured.into_data().iter().collect();
            sync::<B>(&self.device);
            trainer
        };
        self.trainer = Some(trainer);
        self.step += 1;
        1e3 * start.elapsed().as_secs_f64()
    }
}

/// A flow-matching step on any backend with reverse mode, to see what the forward-mode decorator costs without tangents.
pub struct Plain<B: AutodiffBackend> {
    net: Option<Net<B, NetConfig>>,
    average: Option<Net<B::InnerBackend, NetConfig>>,
    optim: Optim<B, Net<B, NetConfig>>,
    batch: HostBatch,
    step: u64,
    device: B::Device,
}

impl<B: AutodiffBackend> Plain<B> {
    /// Makes the network and its batch.
    ///
    /// # Errors
    /// If the network cannot be made.
    pub fn new(yardstick: &Yardstick, batch: usize, device: &B::Device) -> Result<Self, TrainError> {
        let net: Net<B, NetConfig> = yardstick.init(device)?;
        Ok(Self {
            average: Some(net.valid()),
            net: Some(net),
            optim: Optim::new(&OptimizerConfig::Adam(Adam(ADAM))),
            batch: noise(yardstick.shape, Some(yardstick.classes), batch),
            step: 0,
            device: device.clone(),
        })
    }
}

impl<B: AutodiffBackend> Timed for Plain<B> {
    fn step(&mut self) -> f64 {
        let (net, average) =
            (self.net.take().expect("put back below"), self.average.take().expect("put back below"));
        let start = Instant::now();
        let (shape, device) = (self.batch.shape, &self.device);
        let rows = shape[0];
        let streams = Streams::new(0);
        let host = |values: Vec<f32>| Tensor::<B, 4>::from_data(TensorData::new(values, shape), device);
        let t: Vec<f32> = (0..rows).map(|row| (row as f32 + 0.5) / rows as f32).collect();
        let t = Tensor::<B, 1>::from_data(TensorData::new(t, [rows]), device);
        let noise = host(streams.normal("noise", self.step, shape.iter().product()));
        let path = linear_path(host(self.batch.samples.clone()), noise, t.clone());
        let labels = self.batch.labels.as_deref().unwrap_or_default();
        let u = net.forward(path.z, t.clone(), t, &Condition::labels(label_tensor(labels, device)));
        let loss = Weight { p: 1.0, eps: 1e-2 }.loss(squared_norm(u - path.v));
        let grads = GradientsParams::from_grads(loss.backward(), &net);
        let net = self.optim.step(0, net, grads);
        self.average = Some(ema::update(average, &net.valid(), EMA));
        self.net = Some(net);
        let _: Vec<f32> = loss.into_data().iter().collect();
        sync::<B>(device);
        self.step += 1;
        1e3 * start.elapsed().as_secs_f64()
    }
}

/// Waits for the device; a device that failed has said so in the read before.
fn sync<B: Backend>(device: &B::Device) {
    B::sync(device).expect("the device still answers");
}

/// Median time of a 1024×1024×1024 product on the processor with so many threads, in milliseconds.
///
/// # Errors
/// A system that gives no such threads.
pub fn product_in(threads: usize) -> Result<f64, rayon::ThreadPoolBuildError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    Ok(pool.install(|| {
        let device = Default::default();
        let make = || Tensor::<Flex, 2>::random([1024, 1024], Distribution::Default, &device);
        let (a, b) = (make(), make());
        let mut times: Vec<f64> = (0..9)
            .map(|_| {
                let start = Instant::now();
                let _ = a.clone().matmul(b.clone()).into_data();
                1e3 * start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}
