//! Improved consistency training (iCT, arXiv 2310.14189): CT without an average, with a robust distance and a law of levels.
//!
//! `L = E d(D(x + σ_t·e, σ_t), sg D(x + σ_r·e, σ_r))/(σ_t − σ_r)` with neighbours `σ_r < σ_t` on a grid of
//! `N(k) = min(s₀·2^⌊k/K'⌋, s₁) + 1` levels, `K' = ⌊K/(log₂⌊s₁/s₀⌋ + 1)⌋`, whose interval is drawn as `ln σ ~ N(mean, std²)` falls on it, and
//! the Pseudo-Huber distance `d = √(‖·‖² + c²) − c`, `c = 0.00054·√D` of `D` elements.

use super::{
    About, At, Batch, Cost, Facts, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError,
    TrainBackend, condition,
    consistency::{LevelDraws, Levels, Pair, both_levels, pair},
    reference::Stub,
};
use crate::{
    Backbone, Clock, Condition, Prediction,
    flow::Edm,
    interpolant::{per_row, squared_norm},
    levels::LevelGrid,
    random::open_unit,
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Tensor, backend::Backend},
};
use core::f64::consts::FRAC_1_SQRT_2;
use meanflow_jvp::Untaped;
use meanflow_settings::{Choice, Number, Or, Reader, Within};

/// Settings of improved consistency training.
#[derive(Clone, Debug, PartialEq)]
pub struct IctConfig {
    /// `s₀`: intervals of the grid at the start of the run.
    pub first: usize,
    /// `s₁`: intervals at its end.
    pub last: usize,
    /// Mean of `ln σ`.
    pub mean: f64,
    /// Standard deviation of `ln σ`.
    pub std: f64,
    /// Constant of the distance; `None`: `0.00054·√D`.
    pub c: Option<f64>,
    /// What the distance is taken of.
    pub huber: Huber,
    /// Standard deviation of the data.
    pub sigma_data: f64,
}

/// What the Pseudo-Huber distance is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Huber {
    /// The norm of a sample's difference, as in the paper.
    Sample,
    /// Each element's difference, and the mean over them.
    Element,
}

impl Huber {
    const ALL: [(&'static str, Self); 2] = [("sample", Self::Sample), ("element", Self::Element)];

    /// The distance of each row from its differences.
    fn of<B: Backend>(self, difference: Tensor<B, 4>, c: f64) -> Tensor<B, 1> {
        let [rows, channels, height, width] = difference.dims();
        let elements = channels * height * width;
        match self {
            Self::Sample => (squared_norm(difference) + c * c).sqrt() - c,
            Self::Element => {
                let each = (difference.powi_scalar(2) + c * c).sqrt() - c;
                // A product, since Burn's reverse mode divides by a scalar in single precision.
                each.reshape([rows, elements]).sum_dim(1).reshape([rows]) * (1.0 / elements as f64)
            }
        }
    }
}

impl IctConfig {
    /// The number of intervals at step `step` of `steps`.
    pub fn intervals(&self, step: u64, steps: u64) -> usize {
        let doublings = ((self.last / self.first) as f64).log2();
        let each = ((steps as f64 / (doublings + 1.0)).floor() as u64).max(1);
        let factor = 2f64.powi((step / each).min(62) as i32);
        (self.first as f64 * factor).min(self.last as f64) as usize
    }

    /// The probability of each interval between the `levels`: of `N(mean, std²)` in `ln σ`, as far as the grid goes.
    fn probabilities(&self, levels: &[f64]) -> Vec<f64> {
        let below = |sigma: f64| libm::erf((sigma.ln() - self.mean) / self.std * FRAC_1_SQRT_2);
        let parts: Vec<f64> = levels.windows(2).map(|pair| below(pair[1]) - below(pair[0])).collect();
        let total: f64 = parts.iter().sum();
        parts.iter().map(|part| part / total).collect()
    }

    fn edm(&self, grid: LevelGrid) -> Edm {
        Edm { sigma_data: self.sigma_data, sigma_min: grid.min }
    }

    /// The loss of each row.
    fn rows<B: TrainBackend>(
        &self,
        clean: Tensor<B, 4>,
        target: &Tensor<B::InnerBackend, 4>,
        levels: &Levels<B::InnerBackend>,
    ) -> Tensor<B, 1> {
        let elements: usize = clean.dims()[1..].iter().product();
        let c = self.c.unwrap_or_else(|| 0.00054 * (elements as f64).sqrt());
        let distance = self.huber.of(clean - Tensor::from_inner(target.clone()), c);
        distance / Tensor::from_inner(levels.sigma.clone() - levels.target.clone())
    }
}

impl Facts for IctConfig {
    fn learns(&self) -> Learns {
        Learns::Consistency
    }

    fn prediction(&self) -> Prediction {
        Prediction::Edm(self.edm(LevelGrid::PUBLISHED))
    }

    fn depends_on_length(&self) -> bool {
        self.last > self.first
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(1.0)
    }
}

impl Objective for IctConfig {
    const NAME: &'static str = "ict";
    const ABOUT: &'static str =
        "improved consistency training: no average, robust distance, doubling grid (arXiv 2310.14189)";

    type Tangents = Untaped;
    type Draws = LevelDraws;

    fn read(r: &mut Reader, _about: &About) -> Self {
        let first = r.get("first", Within(1, 1 << 16), 10);
        let last = r.get("last", Within(1, 1 << 16), 1280);
        if last < first {
            r.fault("last", format!("the grid grows, from `first` = {first} intervals"), None);
        }
        Self {
            first,
            last,
            mean: r.get("mean", Number::ANY, -1.1),
            std: r.get("std", Number::POSITIVE, 2.0),
            c: r.get("c", Or("auto", Number::POSITIVE), None),
            huber: r.get("huber", Choice(Huber::ALL.to_vec()), Huber::Sample),
            sigma_data: r.get("sigma-data", Number::POSITIVE, 0.5),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> LevelDraws {
        let intervals = self.intervals(at.step, at.steps);
        let levels: Vec<f64> =
            (0..=intervals).map(|index| LevelGrid::PUBLISHED.level(index, intervals + 1)).collect();
        let mut sum = 0.0;
        let upto: Vec<f64> = self
            .probabilities(&levels)
            .iter()
            .map(|part| {
                sum += part;
                sum
            })
            .collect();
        let mut rng = at.streams.rng("time-t", at.step);
        let below = (0..shape[0]).map(|_| {
            let u = open_unit(&mut rng);
            upto.partition_point(|sum| *sum < u).min(intervals - 1)
        });
        LevelDraws::new(at, shape, below.map(|index| [levels[index + 1], levels[index]]))
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &LevelDraws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let edm = self.edm(LevelGrid::PUBLISHED);
        let Pair { clean, target, squared, levels } =
            pair::<B, N, F>(edm, (nets.online, nets.frozen), None, &batch, draws);
        let rows = self.rows(clean, &target, &levels);
        Loss { loss: rows.mean(), measures: vec![Measure::mean("raw", squared)] }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let paper = Self {
            first: reference.number("s0")? as usize,
            last: reference.number("s1")? as usize,
            mean: reference.number("P_mean")?,
            std: reference.number("P_std")?,
            c: Some(reference.number("c")?),
            huber: Huber::Sample,
            sigma_data: reference.number("sigma_data")?,
        };
        let grid = LevelGrid {
            min: reference.number("sigma_min")?,
            max: reference.number("sigma_max")?,
            rho: reference.number("rho")?,
        };
        let intervals =
            paper.intervals(reference.number("step")? as u64, reference.number("total_steps")? as u64);
        let sigmas: Vec<f64> = (0..=intervals).map(|index| grid.level(index, intervals + 1)).collect();
        let index = reference.host("in.index")?;
        for (name, above) in [("in.sigma_r", 0), ("in.sigma_t", 1)] {
            let found = index.iter().map(|i| sigmas.get(*i as usize + above).copied().unwrap_or(f64::NAN));
            reference.found_host(name, found.collect());
        }
        reference.found_host("out.index_probability", paper.probabilities(&sigmas));
        reference.found_host("out.sigmas", sigmas);
        let column = |name| reference.column::<B::InnerBackend>(name, device);
        let levels = Levels {
            e: reference.tensor("in.e", device)?,
            sigma: column("in.sigma_t")?,
            target: column("in.sigma_r")?,
        };
        let batch: Batch<B::InnerBackend> = reference.batch(device)?;
        let stub = Stub::<B>::new(reference, "param", Clock::Time, device)?;
        let net = Unscaled { stub, sigma_data: paper.sigma_data };
        let condition = condition(&batch, <Unscaled<B> as Backbone<B>>::classes(&net));
        let frozen = net.valid();
        let points = || levels.noisy(&batch.x);
        let both = || both_levels::<B, _, _>(paper.edm(grid), &net, &frozen, points(), &levels, &condition);
        let (clean, target) = both();
        reference.found("out.predicted", clean.clone().inner());
        let rows = paper.rows(clean, &target, &levels);
        reference.found("out.target", target);
        reference.found("out.per_sample_norm", rows.clone().inner());
        let loss = rows.mean();
        reference.found("out.loss_norm", loss.clone().inner());
        reference.found_gradients("grad_norm", &net.stub, &loss.backward());
        // A second pass, since a tape is used up by its gradient.
        let (clean, target) = both();
        let coded = Self { huber: Huber::Element, ..paper.clone() }.rows(clean, &target, &levels);
        reference.found_loss(&net.stub, coded.mean());
        Ok(())
    }
}

/// The network of the published numbers, which is told `x_σ` as it is.
#[derive(Module, Debug)]
struct Unscaled<B: Backend> {
    stub: Stub<B>,
    #[module(skip)]
    sigma_data: f64,
}

impl<B: Backend> Backbone<B> for Unscaled<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        // t = ln σ/4.
        let root = ((t.clone() * 8.0).exp() + self.sigma_data * self.sigma_data).sqrt();
        self.stub.forward(z * per_row(root), r, t, condition)
    }

    fn classes(&self) -> Option<usize> {
        <Stub<B> as Backbone<B>>::classes(&self.stub)
    }
}
