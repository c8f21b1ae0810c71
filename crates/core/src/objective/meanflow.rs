//! MeanFlow (arXiv 2505.13447): `u_tgt = sg(v − (t−r)·du/dt)`, `du/dt = v·∂_z u + ∂_t u`, `L = E w·‖u − u_tgt‖²`.

use super::{
    Batch, Draws, GuidanceConfig, StepLoss, TrainBackbone, TrainBackend, condition,
    flow_matching::still_rows, outer, trained,
};
use crate::{
    Streams,
    interpolant::{linear_path, per_row, squared_norm},
    time::{Pairing, Split, TimeLaw, TimeSampler},
    weight::Weight,
};
use burn::tensor::{Tensor, TensorData};
use meanflow_jvp::Dual;

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
}

impl MeanFlowConfig {
    /// All random numbers of `step`.
    pub fn draw(&self, streams: &Streams, step: u64, shape: [usize; 4]) -> Draws {
        let times = TimeSampler {
            t: self.time,
            r: self.time_r.unwrap_or(self.time),
            pairing: self.pairing,
            share: self.share,
            split: self.split,
        };
        Draws::new(streams, step, shape, &times, self.label_dropout)
    }

    /// The loss of `net` on `batch`. Only the rows with `r ≠ t` are differentiated along the flow; at `r = t` the target
    /// is the velocity itself and the rows are those of flow matching.
    pub fn loss<B: TrainBackend, N: TrainBackbone<B>>(
        &self,
        net: &N,
        batch: Batch<B::InnerBackend>,
        draws: &Draws,
    ) -> StepLoss<B> {
        let (shape, device, precision) = (batch.x.dims(), batch.x.device(), batch.precision);
        let (rows, still) = (shape[0], draws.times.still);
        let moved = rows - still;
        let host = |values: &[f32]| {
            Tensor::<B::InnerBackend, 1>::from_data(TensorData::new(values.to_vec(), [rows]), &device)
        };
        let e = Tensor::from_data(TensorData::new(draws.noise.clone(), shape), &device);
        let (t, r) = (host(&draws.times.t), host(&draws.times.r));
        let condition = condition(&batch, net.classes());
        let path = linear_path(batch.x, e, t.clone());
        let (z, v) = (path.z, path.v);
        let guided = match &self.guidance {
            Some(guidance) => {
                let times = &draws.times.t;
                guidance.field(&net.valid(), z.clone(), v.clone(), times, &condition, draws.dropped)
            }
            None => v.clone(),
        };
        let condition = trained(condition, net.classes(), draws);
        if moved == 0 {
            let u = still_rows(net, precision, z, t, condition);
            let velocity = squared_norm(u.clone().inner() - v);
            let squared = squared_norm(u - Tensor::from_inner(guided));
            return StepLoss {
                squared: squared.clone().inner(),
                velocity,
                dudt: None,
                head: None,
                loss: self.weight.loss(squared),
            };
        }

        // Dual rows: u and du/dt in one pass, with tangents (v, 0, 1) for (z, r, t); the tangent stays off the tape.
        let part = |a: &Tensor<B::InnerBackend, 4>| a.clone().narrow(0, still, moved);
        let (t_moved, r_moved) = (t.clone().narrow(0, still, moved), r.narrow(0, still, moved));
        let u = net.forward(
            Tensor::from_inner(part(&z)).with_tangent(part(&guided)),
            Tensor::from_inner(r_moved.clone()),
            Tensor::from_inner(t_moved.clone()).with_tangent(t_moved.ones_like()),
            &outer(condition.rows(still, moved)),
        );
        let (u, dudt) = u.split_tangent();
        let dudt = dudt.unwrap_or_else(|| part(&z).zeros_like());
        let target = part(&guided) - dudt.clone() * per_row(t_moved - r_moved);
        let velocity_moved = squared_norm(u.clone().inner() - part(&v));
        let squared_moved = squared_norm(u - Tensor::from_inner(target));
        let dudt = Some(squared_norm(dudt));
        if still == 0 {
            return StepLoss {
                squared: squared_moved.clone().inner(),
                velocity: velocity_moved,
                dudt,
                head: None,
                loss: self.weight.loss(squared_moved),
            };
        }

        let part = |a: Tensor<B::InnerBackend, 4>| a.narrow(0, 0, still);
        let u = still_rows(net, precision, part(z), t.narrow(0, 0, still), condition.rows(0, still));
        let velocity_still = squared_norm(u.clone().inner() - part(v));
        let squared_still = squared_norm(u - Tensor::from_inner(part(guided)));
        let velocity = Tensor::cat(vec![velocity_still, velocity_moved], 0);
        let squared = Tensor::cat(vec![squared_still, squared_moved], 0);
        StepLoss {
            squared: squared.clone().inner(),
            velocity,
            dudt,
            head: None,
            loss: self.weight.loss(squared),
        }
    }
}
