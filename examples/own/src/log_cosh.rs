//! An objective of one's own with a derivative along the flow: MeanFlow with the loss `s²·ln cosh((u − u_tgt)/s)` of each element, a
//! square near 0 and a distance beyond `s`.

use burn::{
    module::Module,
    tensor::{Tensor, activation::softplus},
};
use meanflow::{
    core::{
        Backbone,
        interpolant::{linear_path, per_row, squared_norm},
        objective::{
            About, At, Batch, Cost, Derivative, Direction, Draws, Facts, Learns, Loss, Measure, Nets,
            Objective, TrainBackend, condition,
            host::{column, samples},
            residual::{Path, Point},
            trained,
        },
        time::TimeSampler,
    },
    jvp::Untaped,
    settings::{Number, Reader},
};
use std::f64::consts::LN_2;

/// `[objective.log-cosh]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogCoshConfig {
    /// Laws of `r` and `t`, and the share of rows with `r ≠ t`.
    pub times: TimeSampler,
    /// Where the loss turns from a square to a distance.
    pub scale: f64,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
    /// How `du/dt` is taken.
    pub derivative: Derivative,
}

impl Facts for LogCoshConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "dudt"]
    }

    fn cost(&self) -> Cost {
        self.derivative.cost()
    }
}

impl Objective for LogCoshConfig {
    const NAME: &'static str = "log-cosh";
    const ABOUT: &'static str = "MeanFlow with a log-cosh loss";

    type Tangents = Untaped;
    type Draws = Draws;

    fn read(r: &mut Reader, about: &About) -> Self {
        Self {
            times: TimeSampler::read(r, 0.5),
            scale: r.get("scale", Number::POSITIVE, 1.0),
            label_dropout: about.label_dropout(r, 0.0),
            derivative: Derivative::read(r, Derivative::Jvp),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> Draws {
        Draws::new(at, shape, &self.times, self.label_dropout)
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &Draws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (net, shape, device) = (nets.online, batch.x.dims(), batch.x.device());
        let e = samples(&draws.noise, shape, &device);
        let (t, r) = (column(&draws.times.t, &device), column(&draws.times.r, &device));
        let condition = trained(condition(&batch, net.classes()), net.classes(), draws);
        let path = linear_path(batch.x, e, t.clone());
        // u on the tape, and du/dt along (v, 0, 1) for (z, r, t) off it; where r = t it does not matter.
        let point = Point { z: path.z, direction: path.v.clone(), r: r.clone(), t: t.clone() };
        let along = (Path::Straight, Direction::FLOW);
        let (u, dudt) = self.derivative.along::<B, N, F>(along, (net, nets.frozen), &point, &condition);
        let target = path.v - dudt.clone() * per_row(t - r);
        let error = u - Tensor::from_inner(target);
        let raw = squared_norm(error.clone().inner());
        // ln cosh x = |x| + ln(1 + e^(−2|x|)) − ln 2
        let x = error.abs() / self.scale;
        let elements = x.clone() + softplus(x * -2.0, 1.0) - LN_2;
        let rows = elements.flatten::<2>(1, 3).sum_dim(1) * (self.scale * self.scale);
        let dudt = squared_norm(dudt);
        Loss {
            measures: vec![Measure::mean("raw", raw), Measure::root_mean_square("dudt", dudt)],
            loss: rows.mean(),
        }
    }
}
