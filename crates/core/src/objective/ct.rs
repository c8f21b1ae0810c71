//! Consistency training and distillation (CT and CD, arXiv 2303.01469): neighbours on a grid of noise levels, which grows over the run.
//!
//! `L = E λ(σ_t)·d(D(x + σ_t·e, σ_t), sg D⁻(x + σ_r·e, σ_r))` with neighbours `σ_r < σ_t` on a grid of `N(k)` levels and a moving
//! average `D⁻` of the network whose decay rises with `N`:
//! `N(k) = ⌈√(k/K·((s₁+1)² − s₀²) + s₀²) − 1⌉ + 1`, `μ(k) = exp(s₀·ln μ₀/N(k))`.
//!
//! That is training. In distillation a step of a frozen teacher's flow from `x + σ_t·e` takes the place of `x + σ_r·e` ([`Distillation`]),
//! and by default, as published, the grid does not grow and the target is the network itself.

use super::{
    About, At, Batch, Cost, Distillation, Facts, Learns, Loss, Measure, Nets, Objective, Reference,
    ReferenceError, Teacher, TrainBackend,
    consistency::{LevelDraws, Levels, Pair, both_levels, pair},
    reference::Stub,
};
use crate::{
    Backbone, Clock, Condition, Prediction, flow::Edm, interpolant::squared_norm, levels::LevelGrid,
    random::open_unit,
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Tensor, backend::Backend},
};
use meanflow_jvp::Untaped;
use meanflow_settings::{Choice, Number, Reader, Within};

/// Settings of consistency training, and of distillation.
#[derive(Clone, Debug, PartialEq)]
pub struct CtConfig {
    /// `s₀`: levels at the start of the run.
    pub first: usize,
    /// `s₁`: one less than the levels at its end.
    pub last: usize,
    /// `μ₀`: the decay of the average when there are `s₀` levels, to the power `s₀/N`; 0 is the network itself.
    pub decay: f64,
    /// Distance of two samples.
    pub norm: Norm,
    /// Weight of a noise level.
    pub weighting: CtWeighting,
    /// Standard deviation of the data.
    pub sigma_data: f64,
    /// A teacher, for distillation.
    pub distillation: Option<Distillation>,
}

/// Distance of two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Mean of the absolute differences.
    L1,
    /// Mean of their squares.
    L2,
    /// The largest absolute difference.
    Max,
}

impl Norm {
    const ALL: [(&'static str, Self); 3] = [("l1", Self::L1), ("l2", Self::L2), ("linf", Self::Max)];

    /// That of each row from its differences.
    fn of<B: Backend>(self, difference: Tensor<B, 4>) -> Tensor<B, 1> {
        let [rows, channels, height, width] = difference.dims();
        let elements = channels * height * width;
        let absolute = |difference: Tensor<B, 4>| difference.reshape([rows, elements]).abs();
        // Products, since Burn's reverse mode divides by a scalar in single precision.
        match self {
            Self::L1 => absolute(difference).sum_dim(1).reshape([rows]) * (1.0 / elements as f64),
            Self::L2 => squared_norm(difference) * (1.0 / elements as f64),
            Self::Max => absolute(difference).max_dim(1).reshape([rows]),
        }
    }
}

/// Weight `λ` of a noise level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtWeighting {
    /// 1.
    Uniform,
    /// `1/σ²`.
    Snr,
    /// `1/σ² + 1`.
    SnrAndOne,
    /// `max(1/σ², 1)`.
    TruncatedSnr,
}

impl CtWeighting {
    const ALL: [(&'static str, Self); 4] = [
        ("uniform", Self::Uniform),
        ("snr", Self::Snr),
        ("snr+1", Self::SnrAndOne),
        ("truncated-snr", Self::TruncatedSnr),
    ];

    fn of<B: Backend>(self, sigma: &Tensor<B, 1>) -> Tensor<B, 1> {
        let snr = || sigma.clone().powi_scalar(2).recip();
        match self {
            Self::Uniform => sigma.ones_like(),
            Self::Snr => snr(),
            Self::SnrAndOne => snr() + 1.0,
            Self::TruncatedSnr => snr().clamp_min(1.0),
        }
    }
}

impl CtConfig {
    /// `N(k)` at the share `k/K` of the run.
    pub fn levels(&self, progress: f64) -> usize {
        let [first, last] = [self.first as f64, self.last as f64];
        let square = progress * ((last + 1.0).powi(2) - first * first) + first * first;
        (square.sqrt() - 1.0).ceil() as usize + 1
    }

    fn edm(&self, grid: LevelGrid) -> Edm {
        Edm { sigma_data: self.sigma_data, sigma_min: grid.min }
    }

    /// The loss of each row.
    fn rows<B: TrainBackend>(
        &self,
        clean: Tensor<B, 4>,
        target: &Tensor<B::InnerBackend, 4>,
        sigma: &Tensor<B::InnerBackend, 1>,
    ) -> Tensor<B, 1> {
        let distance = self.norm.of(clean - Tensor::from_inner(target.clone()));
        distance * Tensor::from_inner(self.weighting.of(sigma))
    }
}

impl Facts for CtConfig {
    fn learns(&self) -> Learns {
        Learns::Consistency
    }

    fn prediction(&self) -> Prediction {
        Prediction::Edm(self.edm(LevelGrid::PUBLISHED))
    }

    fn teachers(&self, at: &At) -> Vec<Teacher> {
        let share = self.first as f64 / self.levels(at.progress()) as f64;
        let average = Teacher::Ema { decay: self.decay.powf(share) };
        let frozen = self.distillation.iter().map(|taught| Teacher::Frozen(taught.teacher.clone()));
        [average].into_iter().chain(frozen).collect()
    }

    fn depends_on_length(&self) -> bool {
        self.first <= self.last
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw"]
    }

    fn cost(&self) -> Cost {
        let taught = self.distillation.as_ref().map_or(0, |taught| taught.solver.evaluations());
        Cost::one_pass(1.0 + taught as f64)
    }
}

impl Objective for CtConfig {
    const NAME: &'static str = "ct";
    const ABOUT: &'static str =
        "consistency training, or distillation: neighbours on a grid of noise levels (arXiv 2303.01469)";

    type Tangents = Untaped;
    type Draws = LevelDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let distillation = Distillation::read(r, about);
        let (levels, decay) = if distillation.is_some() { ([18, 17], 0.0) } else { ([2, 150], 0.9) };
        let first = r.get("first", Within(2, 1 << 16), levels[0]);
        let last = r.get("last", Within(1, 1 << 16), levels[1]);
        if last + 1 < first {
            r.fault("last", format!("the grid does not shrink, from `first` = {first} levels"), None);
        }
        Self {
            first,
            last,
            decay: r.get("decay", Number::BELOW_ONE, decay),
            norm: r.get("norm", Choice(Norm::ALL.to_vec()), Norm::L2),
            weighting: r.get("weighting", Choice(CtWeighting::ALL.to_vec()), CtWeighting::Uniform),
            sigma_data: r.get("sigma-data", Number::POSITIVE, 0.5),
            distillation,
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> LevelDraws {
        let levels = self.levels(at.progress());
        let mut rng = at.streams.rng("time-t", at.step);
        let below =
            (0..shape[0]).map(|_| ((open_unit(&mut rng) * (levels - 1) as f64) as usize).min(levels - 2));
        let level = |index: usize| LevelGrid::PUBLISHED.level(index, levels);
        LevelDraws::new(at, shape, below.map(|index| [level(index + 1), level(index)]))
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &LevelDraws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let edm = self.edm(LevelGrid::PUBLISHED);
        let flow = self.distillation.as_ref().map(|taught| (taught, &nets.teachers[1]));
        let Pair { clean, target, squared, levels } =
            pair::<B, N, F>(edm, (nets.online, &nets.teachers[0]), flow, &batch, draws);
        let rows = self.rows(clean, &target, &levels.sigma);
        Loss { loss: rows.mean(), measures: vec![Measure::mean("raw", squared)] }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let choice = |name: &str| Ok(reference.word(name)?.replace("snrp1", "snr+1").replace('_', "-"));
        fn named<T: Copy>(all: &[(&str, T)], name: &str, word: &str) -> Result<T, ReferenceError> {
            let found = all.iter().find(|(other, _)| *other == word);
            found.map(|(_, value)| *value).ok_or_else(|| ReferenceError::Constant(name.to_owned()))
        }
        let settings = Self {
            // The file gives the number of levels.
            first: 2,
            last: 150,
            decay: 0.9,
            norm: named(&Norm::ALL, "loss_norm", &choice("loss_norm")?)?,
            weighting: named(&CtWeighting::ALL, "weighting", &choice("weighting")?)?,
            sigma_data: reference.number("sigma_data")?,
            distillation: None,
        };
        let grid = LevelGrid {
            min: reference.number("sigma_min")?,
            max: reference.number("sigma_max")?,
            rho: reference.number("rho")?,
        };
        // Theirs descends.
        let count = reference.number("num_scales")? as usize;
        let index = reference.host("in.index")?;
        let level =
            |below: usize| index.iter().map(|i| grid.level(count - 1 - *i as usize - below, count)).collect();
        let (sigma, target) = (level(0), level(1));
        reference.found_host("in.sigma_t", sigma);
        reference.found_host("in.sigma_r", target);
        let column = |name| reference.column::<B::InnerBackend>(name, device);
        let levels = Levels {
            e: reference.tensor("in.e", device)?,
            sigma: column("in.sigma_t")?,
            target: column("in.sigma_r")?,
        };
        let x = reference.tensor::<B::InnerBackend, 4>("in.x", device)?;
        let stub = Stub::<B>::new(reference, "param", Clock::Time, device)?;
        let teacher = Stub::<B>::new(reference, "teacher", Clock::Time, device)?.valid();
        // It has no classes, and tells its network the null class.
        let null = Tensor::full([index.len()], reference.number("null_class")? as i64, device);
        let condition = Condition::labels(null);
        let points = levels.noisy(&x);
        let (clean, target) =
            both_levels::<B, _, _>(settings.edm(grid), &stub, &teacher, points, &levels, &condition);
        let rows = settings.rows(clean, &target, &levels.sigma);
        reference.found("out.target", target);
        reference.found("out.per_sample", rows.clone().inner());
        reference.found_loss(&stub, rows.mean());
        Ok(())
    }
}
