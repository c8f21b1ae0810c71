//! Conditional flow matching (arXiv 2210.02747): `L = E w·‖u(z_t, t, t) − (e − x)‖²`.

use super::{
    About, At, Batch, Cost, Coupling, Draws, Facts, Learns, Loss, Measure, Nets, Objective, Reference,
    ReferenceError, TrainBackend, condition, coupling,
    host::{column, samples},
    outer, trained,
};
use crate::{
    Backbone, Condition,
    interpolant::{linear_path, squared_norm},
    precision::Precision,
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use burn::{module::Module, tensor::Tensor};
use meanflow_jvp::Untaped;
use meanflow_settings::Reader;

/// Settings of flow matching.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowMatchingConfig {
    /// Law of `t`.
    pub time: TimeLaw,
    /// Adaptive weight; `p = 0` is the plain squared error.
    pub weight: Weight,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
    /// Which sample of a batch goes with which noise.
    pub coupling: Coupling,
}

impl Facts for FlowMatchingConfig {
    fn learns(&self) -> Learns {
        Learns::Velocity
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "v"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(0.0)
    }
}

impl Objective for FlowMatchingConfig {
    const NAME: &'static str = "flow-matching";
    const ABOUT: &'static str = "regress the velocity v = e − x (arXiv 2210.02747)";
    const METHOD: &'static str = "ot-coupling";

    type Tangents = Untaped;
    type Draws = Draws;

    fn read(r: &mut Reader, about: &About) -> Self {
        Self {
            time: TimeLaw::read(r, "time", TimeLaw::Uniform),
            weight: Weight::read(r, Weight { p: 0.0, eps: 1e-3 }),
            label_dropout: about.label_dropout(r, 0.0),
            coupling: Coupling::read(r),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> Draws {
        let times = TimeSampler {
            t: self.time,
            r: self.time,
            pairing: Pairing::V1,
            share: 0.0,
            split: Split::Prefix,
        };
        Draws::new(at, shape, &times, self.label_dropout)
    }

    fn pairs(&self, at: &At, samples: &[f32], draws: &Draws) -> Option<Vec<usize>> {
        self.coupling.pairs(at, &draws.noise, samples, draws.times.t.len())
    }

    /// The numbers of its coupling; the loss has none.
    fn parity<B: TrainBackend>(reference: &mut Reference, _device: &B::Device) -> Result<(), ReferenceError> {
        coupling::parity(reference)
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &Draws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let net = nets.online;
        let (shape, device, precision) = (batch.x.dims(), batch.x.device(), batch.precision);
        let e = samples(&draws.noise, shape, &device);
        let t = column(&draws.times.t, &device);
        let condition = trained(condition(&batch, net.classes()), net.classes(), draws);
        let path = linear_path(batch.x, e, t.clone());
        let u = still_rows(net, precision, path.z, t, condition);
        let squared = squared_norm(u - Tensor::from_inner(path.v));
        let raw = squared.clone().inner();
        Loss {
            measures: vec![Measure::mean("raw", raw.clone()), Measure::mean("v", raw)],
            loss: self.weight.loss(squared),
        }
    }
}

/// `u(z, t, t)` of each row: flow matching, and the rows of MeanFlow with `r = t`.
pub fn still_rows<B: TrainBackend, N: Backbone<B> + Module<B>>(
    net: &N,
    precision: Precision,
    z: Tensor<B::InnerBackend, 4>,
    t: Tensor<B::InnerBackend, 1>,
    condition: Condition<B::InnerBackend>,
) -> Tensor<B, 4> {
    let t = Tensor::from_inner(t);
    let (dtype, z) = (z.dtype(), precision.input(Tensor::from_inner(z)));
    precision.output(precision.cast(net).forward(z, t.clone(), t, &outer(condition)), dtype)
}
