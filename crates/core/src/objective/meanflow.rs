//! MeanFlow (arXiv 2505.13447): `u_tgt = sg(v − (t−r)·du/dt)`, `du/dt = v·∂_z u + ∂_t u`, `L = E w·‖u − u_tgt‖²`.

use super::{
    About, At, Batch, Cost, Draws, Facts, GuidanceConfig, Learns, Loss, Measure, Nets, Objective,
    TrainBackend, condition,
    flow_matching::still_rows,
    host::{column, samples},
    residual::{Derivative, Direction, Path, Point},
    trained,
};
use crate::{
    Backbone,
    interpolant::{linear_path, per_row, squared_norm},
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use burn::{module::Module, tensor::Tensor};
use meanflow_jvp::Untaped;
use meanflow_settings::Reader;

/// Settings of MeanFlow.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanFlowConfig {
    /// Law of the first time.
    pub time: TimeLaw,
    /// Law of the second time; `None`: the same.
    pub time_r: Option<TimeLaw>,
    /// How two draws make a pair.
    pub pairing: Pairing,
    /// Share of rows with `r ≠ t`.
    pub share: f64,
    /// Whether that share is exact or in expectation.
    pub split: Split,
    /// Adaptive weight.
    pub weight: Weight,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
    /// Guided field as target.
    pub guidance: Option<GuidanceConfig>,
    /// How `du/dt` is taken.
    pub derivative: Derivative,
    /// Along which direction of `(z, r, t)`.
    pub tangent: Direction,
}

impl Facts for MeanFlowConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "v", "dudt"]
    }

    fn cost(&self) -> Cost {
        self.derivative.cost().on(self.share)
    }
}

impl Objective for MeanFlowConfig {
    const NAME: &'static str = "meanflow";
    const ABOUT: &'static str =
        "regress the average velocity through the MeanFlow identity (arXiv 2505.13447)";

    type Tangents = Untaped;
    type Draws = Draws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let TimeSampler { t, r: second, pairing, share, split } = TimeSampler::read(r, 0.25);
        let settings = Self {
            time: t,
            time_r: Some(second),
            pairing,
            share,
            split,
            weight: Weight::read(r, Weight { p: 1.0, eps: 0.01 }),
            label_dropout: about.label_dropout(r, 0.1),
            guidance: GuidanceConfig::read(r, about),
            derivative: Derivative::read(r, Derivative::Jvp),
            tangent: Direction::read(r),
        };
        if settings.guidance.is_some() {
            about.needs_null_class(r, settings.label_dropout);
        }
        settings
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> Draws {
        let times = TimeSampler {
            t: self.time,
            r: self.time_r.unwrap_or(self.time),
            pairing: self.pairing,
            share: self.share,
            split: self.split,
        };
        Draws::new(at, shape, &times, self.label_dropout)
    }

    /// Only the rows with `r ≠ t` are differentiated along the flow; at `r = t` the target is the velocity itself and the rows
    /// are those of flow matching.
    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &Draws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let net = nets.online;
        let (shape, device, precision) = (batch.x.dims(), batch.x.device(), batch.precision);
        let (rows, still) = (shape[0], draws.times.still);
        let moved = rows - still;
        let e = samples(&draws.noise, shape, &device);
        let (t, r) = (column(&draws.times.t, &device), column(&draws.times.r, &device));
        let condition = condition(&batch, net.classes());
        let path = linear_path(batch.x, e, t.clone());
        let (z, v) = (path.z, path.v);
        let guided = match &self.guidance {
            Some(guidance) => {
                let times = &draws.times.t;
                guidance.field(nets.frozen, z.clone(), v.clone(), times, &condition, &draws.dropped)
            }
            None => v.clone(),
        };
        let condition = trained(condition, net.classes(), draws);
        if moved == 0 {
            let u = still_rows(net, precision, z, t, condition);
            let velocity = squared_norm(u.clone().inner() - v);
            let squared = squared_norm(u - Tensor::from_inner(guided));
            return self.total(squared, velocity, None);
        }

        // Moved rows: u with du/dt, along (v, 0, 1) for (z, r, t) by default, which stays off the tape.
        let part = |a: &Tensor<B::InnerBackend, 4>| a.clone().narrow(0, still, moved);
        let (t_moved, r_moved) = (t.clone().narrow(0, still, moved), r.narrow(0, still, moved));
        let point = Point { z: part(&z), direction: part(&guided), r: r_moved.clone(), t: t_moved.clone() };
        let condition_moved = condition.rows(still, moved);
        let networks = (net, nets.frozen);
        let along = (Path::Straight, self.tangent);
        let (u, dudt) = self.derivative.along::<B, N, F>(along, networks, &point, &condition_moved);
        let target = part(&guided) - dudt.clone() * per_row(t_moved - r_moved);
        let velocity_moved = squared_norm(u.clone().inner() - part(&v));
        let squared_moved = squared_norm(u - Tensor::from_inner(target));
        let dudt = Some(squared_norm(dudt));
        if still == 0 {
            return self.total(squared_moved, velocity_moved, dudt);
        }

        let part = |a: Tensor<B::InnerBackend, 4>| a.narrow(0, 0, still);
        let u = still_rows(net, precision, part(z), t.narrow(0, 0, still), condition.rows(0, still));
        let velocity_still = squared_norm(u.clone().inner() - part(v));
        let squared_still = squared_norm(u - Tensor::from_inner(part(guided)));
        let velocity = Tensor::cat(vec![velocity_still, velocity_moved], 0);
        let squared = Tensor::cat(vec![squared_still, squared_moved], 0);
        self.total(squared, velocity, dudt)
    }
}

impl MeanFlowConfig {
    /// The weighted loss of squared errors, with what is measured: `‖u − u_tgt‖²` and `‖u − (e − x)‖²` of each row, `‖du/dt‖²` of
    /// each row with `r ≠ t`.
    fn total<B: TrainBackend>(
        &self,
        squared: Tensor<B, 1>,
        velocity: Tensor<B::InnerBackend, 1>,
        dudt: Option<Tensor<B::InnerBackend, 1>>,
    ) -> Loss<B> {
        let mut measures = vec![Measure::mean("raw", squared.clone().inner()), Measure::mean("v", velocity)];
        measures.extend(dudt.map(|dudt| Measure::root_mean_square("dudt", dudt)));
        Loss { measures, loss: self.weight.loss(squared) }
    }
}
