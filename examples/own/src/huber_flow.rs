//! An objective of one's own: flow matching with a pseudo-Huber loss, `√(‖u − v‖² + c²) − c` of each sample.

use burn::{
    module::Module,
    tensor::{Tensor, TensorData},
};
use meanflow::{
    core::{
        Backbone,
        interpolant::{linear_path, squared_norm},
        objective::{
            About, At, Batch, Cost, Draws, Facts, Learns, Loss, Measure, Nets, Objective, TrainBackend,
            condition, outer, trained,
        },
        time::{Pairing, Split, TimeLaw, TimeSampler},
    },
    jvp::Untaped,
    settings::{Number, Reader},
};

/// `[objective.huber-flow]`.
#[derive(Clone, Debug, PartialEq)]
pub struct HuberFlowConfig {
    /// Law of `t`.
    pub time: TimeLaw,
    /// Where the loss turns from a square to a distance.
    pub c: f64,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
}

impl Facts for HuberFlowConfig {
    fn learns(&self) -> Learns {
        Learns::Velocity
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(0.0)
    }
}

impl Objective for HuberFlowConfig {
    const NAME: &'static str = "huber-flow";
    const ABOUT: &'static str = "flow matching with a pseudo-Huber loss";

    type Tangents = Untaped;
    type Draws = Draws;

    fn read(r: &mut Reader, about: &About) -> Self {
        Self {
            time: TimeLaw::read(r, "time", TimeLaw::Uniform),
            c: r.get("c", Number::POSITIVE, 1.0),
            label_dropout: about.label_dropout(r, 0.0),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> Draws {
        let (t, r) = (self.time, self.time);
        let times = TimeSampler { t, r, pairing: Pairing::V1, share: 0.0, split: Split::Prefix };
        Draws::new(at, shape, &times, self.label_dropout)
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &Draws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (net, shape, device) = (nets.online, batch.x.dims(), batch.x.device());
        let e = Tensor::from_data(TensorData::new(draws.noise.clone(), shape), &device);
        let t = Tensor::from_data(TensorData::new(draws.times.t.clone(), [shape[0]]), &device);
        let condition = trained(condition(&batch, net.classes()), net.classes(), draws);
        let path = linear_path(batch.x, e, t.clone());
        let t = Tensor::from_inner(t);
        let u = net.forward(Tensor::from_inner(path.z), t.clone(), t, &outer(condition));
        let squared = squared_norm(u - Tensor::from_inner(path.v));
        Loss {
            measures: vec![Measure::mean("raw", squared.clone().inner())],
            loss: ((squared + self.c * self.c).sqrt() - self.c).mean(),
        }
    }
}
