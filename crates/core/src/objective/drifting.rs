//! Drifting models (arXiv 2602.04770): a generator moves its samples towards the data until they no longer drift.
//!
//! In groups of generated samples `g_i`, with the targets `T` (the generated ones, negatives, and the data as positives) and distances
//! over their mean: `A = √(softmax_j(−d/R)·softmax_i(−d/R))·w_j`, coefficients `c_pos = A_pos·Σ A_neg`, `c_neg = −A_neg·Σ A_pos`, and the force
//! `Σ_j c_j·(T_j − g_i)`, over its root mean square and summed over the radii `R`. The loss draws `g_i` to `sg(g_i + force)`. There is no time:
//! the network is asked for the way from pure noise, `g = e − u(e, 0, 1)`. Distances are those of the samples themselves.

use super::{
    About, At, Batch, Cost, Facts, Group, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError,
    Rows, TrainBackend, condition, every_nth,
    host::samples,
    labels::outer,
    reference::{Constant, Stub},
};
use crate::{Backbone, Clock, Condition, Dropout};
use burn::{
    module::Module,
    tensor::{Tensor, activation::softmax, backend::Backend},
};
use meanflow_jvp::Untaped;
use meanflow_settings::{List, Number, Reader, Within};

/// Settings of drifting models.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftingConfig {
    /// Samples of a group, and as many of the data.
    pub group: usize,
    /// Radii of the forces, in mean distances.
    pub radii: Vec<f64>,
}

/// The random numbers of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftingDraws {
    /// Rows of a group.
    pub group: usize,
    /// Noise `e`, row-major.
    pub noise: Vec<f32>,
    /// Key of the masks of a network with dropout.
    pub dropout: Option<Dropout>,
    /// Rows in all.
    pub rows: usize,
}

impl Rows for DriftingDraws {
    fn part(&self, index: usize, parts: usize) -> Self {
        let width = self.group * self.noise.len() / self.rows;
        let noise = every_nth(&self.noise, width, index, parts);
        Self {
            group: self.group,
            rows: noise.len() / width * self.group,
            noise,
            dropout: self.dropout.map(|dropout| dropout.groups(self.group, index, parts)),
        }
    }
}

/// What the samples of each group are drawn to and pushed from, with their weights: `[groups, samples, elements]`, `[groups, samples]`.
struct Others<B: Backend> {
    samples: Tensor<B, 3>,
    weights: Tensor<B, 2>,
}

/// Where the generated samples drift.
struct Drift<B: Backend> {
    /// The mean distance, `[1]`.
    scale: Tensor<B, 1>,
    /// What coordinates are divided by, `[1]`.
    unit: Tensor<B, 1>,
    /// In those coordinates, `[groups, samples, elements]`.
    force: Tensor<B, 3>,
    goal: Tensor<B, 3>,
}

/// The least squared distance.
const LEAST_SQUARE: f64 = 1e-8;
/// The least mean distance.
const LEAST_SCALE: f64 = 1e-3;
/// The least product of affinities.
const LEAST_AFFINITY: f64 = 1e-6;
/// The least mean square of a force.
const LEAST_FORCE: f64 = 1e-8;
/// Added to the distance of a sample from itself.
const APART: f64 = 100.0;

impl DriftingConfig {
    /// The forces on `generated`, `[groups, samples, elements]`.
    fn drift<B: Backend>(
        &self,
        generated: Tensor<B, 3>,
        negative: Option<Others<B>>,
        positive: Others<B>,
    ) -> Drift<B> {
        let [groups, size, elements] = generated.dims();
        let device = generated.device();
        let mut targets = vec![generated.clone()];
        let mut weights = vec![Tensor::<B, 2>::ones([groups, size], &device).cast(generated.dtype())];
        for others in negative.into_iter().chain([positive]) {
            targets.push(others.samples);
            weights.push(others.weights);
        }
        let pushing = if targets.len() == 3 { size + targets[1].dims()[1] } else { size };
        let (targets, weights) = (Tensor::cat(targets, 1), Tensor::cat(weights, 1));
        let count = targets.dims()[1];
        let weights = weights.reshape([groups, 1, count]);

        let difference = generated.clone().reshape([groups, size, 1, elements])
            - targets.clone().reshape([groups, 1, count, elements]);
        let squared = difference.powi_scalar(2).sum_dim(3).reshape([groups, size, count]);
        let distance = squared.clamp_min(LEAST_SQUARE).sqrt();
        let scale = (distance.clone() * weights.clone()).mean() / weights.clone().mean();
        let unit = (scale.clone() * (1.0 / (elements as f64).sqrt())).clamp_min(LEAST_SCALE);
        let over = |a: Tensor<B, 3>, by: &Tensor<B, 1>| a / by.clone().reshape([1, 1, 1]);
        let (here, targets) = (over(generated, &unit), over(targets, &unit));
        let own = Tensor::<B, 2>::eye(size, &device).cast(here.dtype()) * APART;
        let own = Tensor::cat(
            vec![own, Tensor::<B, 2>::zeros([size, count - size], &device).cast(here.dtype())],
            1,
        );
        let distance = over(distance, &scale.clone().clamp_min(LEAST_SCALE)) + own.unsqueeze::<3>();

        let mut total = here.zeros_like();
        for radius in &self.radii {
            let near = distance.clone() * (-1.0 / radius);
            let affinity = (softmax(near.clone(), 2) * softmax(near, 1)).clamp_min(LEAST_AFFINITY).sqrt()
                * weights.clone();
            let (from, to) =
                (affinity.clone().narrow(2, 0, pushing), affinity.narrow(2, pushing, count - pushing));
            let coefficients =
                Tensor::cat(vec![from.clone() * to.clone().sum_dim(2).neg(), to * from.sum_dim(2)], 2);
            let sum = coefficients.clone().sum_dim(2);
            let force = coefficients.matmul(targets.clone()) - here.clone() * sum;
            let size = force.clone().powi_scalar(2).mean().clamp_min(LEAST_FORCE).sqrt();
            total = total + over(force, &size);
        }
        Drift { scale, unit, goal: here + total.clone(), force: total }
    }

    /// The loss of each group.
    fn groups<B: TrainBackend>(generated: Tensor<B, 3>, drift: &Drift<B::InnerBackend>) -> Tensor<B, 1> {
        let [groups, size, elements] = generated.dims();
        let here = generated * Tensor::from_inner(drift.unit.clone().recip().reshape([1, 1, 1]));
        let squared = (here - Tensor::from_inner(drift.goal.clone())).powi_scalar(2);
        // A product, since Burn's reverse mode divides by a scalar in single precision.
        squared.reshape([groups, size * elements]).sum_dim(1).reshape([groups])
            * (1.0 / (size * elements) as f64)
    }
}

impl Facts for DriftingConfig {
    /// The way from pure noise in one evaluation.
    fn learns(&self) -> Learns {
        Learns::Consistency
    }

    /// The mean distance and the size of a force are those of the whole batch.
    fn group(&self) -> Group {
        Group::Batch(self.group)
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "distance"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(0.0)
    }
}

impl Objective for DriftingConfig {
    const NAME: &'static str = "drifting";
    const ABOUT: &'static str =
        "drifting models: samples move towards the data, in groups, without time (arXiv 2602.04770)";

    type Tangents = Untaped;
    type Draws = DriftingDraws;

    fn read(r: &mut Reader, _about: &About) -> Self {
        Self {
            group: r.get("group", Within(2, 1 << 12), 64),
            radii: r.get("radii", List { of: Number::POSITIVE, empty: false }, vec![0.02, 0.05, 0.2]),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> DriftingDraws {
        DriftingDraws {
            group: self.group,
            noise: at.streams.normal("noise", at.step, shape.iter().product()),
            dropout: Some(Dropout::new(at.streams, at.step)),
            rows: shape[0],
        }
    }

    /// Samples of a class together: in order of classes, and where a group would have two, those of the first take the others' place.
    fn pairs(&self, at: &At, _samples: &[f32], _draws: &DriftingDraws) -> Option<Vec<usize>> {
        let labels = at.labels?;
        let mut rows: Vec<usize> = (0..labels.len()).collect();
        rows.sort_by_key(|row| labels[*row]);
        let groups = rows.chunks(self.group).flat_map(|group| {
            let same = group.iter().take_while(|row| labels[**row] == labels[group[0]]);
            let same: Vec<usize> = same.copied().collect();
            same.into_iter().cycle().take(group.len())
        });
        Some(groups.collect())
    }

    fn loss<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: Batch<B::InnerBackend>,
        draws: &DriftingDraws,
    ) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let (shape, device) = (batch.x.dims(), batch.x.device());
        let groups = [shape[0] / self.group, self.group, shape[1..].iter().product()];
        let condition = Condition { dropout: draws.dropout, ..condition(&batch, nets.online.classes()) };
        let e: Tensor<B, 4> = samples(&draws.noise, shape, &device);
        let [end, start] = [0.0, 1.0].map(|time| Tensor::full([shape[0]], time, &device));
        let generated = e.clone() - nets.online.forward(e, end, start, &outer(condition));
        let generated = generated.reshape(groups);
        let positive = Others {
            weights: Tensor::<_, 2>::ones([groups[0], groups[1]], &device).cast(batch.x.dtype()),
            samples: batch.x.reshape(groups),
        };
        let drift = self.drift(generated.clone().inner(), None, positive);
        let rows = Self::groups(generated, &drift);
        let measures =
            vec![Measure::mean("raw", rows.clone().inner()), Measure::mean("distance", drift.scale)];
        Loss { loss: rows.mean(), measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let size = reference.number("gen_per_group")? as usize;
        let radii = match reference.constants.get("R_list") {
            Some(Constant::Numbers(radii)) => radii.clone(),
            _ => return Err(ReferenceError::Constant("R_list".to_owned())),
        };
        let settings = Self { group: size, radii };
        // The network is a generator of noise and the scale of guidance.
        let stub = Stub::<B>::new(reference, "param", Clock::BothTimes, device)?;
        let omega = reference.column::<B>("in.omega", device)?;
        let condition = Condition::labels(reference.labels::<B>(device)?);
        let generated =
            stub.forward(reference.tensor("in.e", device)?, omega.zeros_like(), omega, &condition);
        reference.found("out.gen", generated.clone().inner());
        let shape = generated.dims();
        let generated = generated.reshape([shape[0] / size, size, shape[1..].iter().product()]);
        let others = |name: &str| {
            let samples = reference.tensor::<B::InnerBackend, 3>(&format!("in.{name}"), device)?;
            let weights = reference.tensor(&format!("in.weight_{name}"), device)?;
            Ok(Others { samples, weights })
        };
        let (negative, positive) = (others("neg")?, others("pos")?);
        let drift = settings.drift(generated.clone().inner(), Some(negative), positive);
        let rows = Self::groups(generated, &drift);
        reference.found("out.scale", drift.scale);
        reference.found("out.force", drift.force);
        reference.found("out.goal", drift.goal);
        reference.found("out.per_group", rows.clone().inner());
        reference.found_loss(&stub, rows.mean());
        Ok(())
    }
}
