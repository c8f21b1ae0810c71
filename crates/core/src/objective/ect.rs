//! Easy consistency tuning (ECT, arXiv 2406.14548): two noise levels of one sample, the nearer one the target.
//!
//! `ln σ_t ~ N(mean, std²)`, `σ_r = σ_t·(1 − n(σ_t)/qᵏ)` with `n(σ) = 1 + 8·sigmoid(−σ)` cut at 0, where `k` begins at 1 and rises
//! by one at equal shares of the run; `L = E (√(‖D(x_t, σ_t) − sg D(x_r, σ_r)‖² + c²) − c)/(σ_t − σ_r)` on `x_σ = x + σ·e` with the same
//! noise. At `σ_r = 0` the target is the clean sample. `D` is the network in EDM's preconditioning ([`Edm`]).

use super::{
    About, At, Batch, Cost, Facts, Learns, Loss, Measure, Nets, Objective, Reference, ReferenceError,
    TrainBackend, condition,
    consistency::{LevelDraws, Levels},
    labels::outer,
    reference::Stub,
};
use crate::{
    Backbone, Clock, Condition, Prediction,
    flow::Edm,
    interpolant::{per_row, squared_norm},
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{Bool, Tensor, TensorData, backend::Backend},
};
use meanflow_jvp::Untaped;
use meanflow_settings::{Number, Reader, Within};
use rand_distr::{Distribution, StandardNormal};

/// Settings of easy consistency tuning.
#[derive(Clone, Debug, PartialEq)]
pub struct EctConfig {
    /// Mean of `ln σ_t`.
    pub mean: f64,
    /// Standard deviation of `ln σ_t`.
    pub std: f64,
    /// Factor by which the two levels come nearer in each stage.
    pub q: f64,
    /// Stages of the run, each an equal share of its steps.
    pub stages: usize,
    /// Constant of the Pseudo-Huber distance; 0 is the norm.
    pub c: f64,
    /// Standard deviation of the data.
    pub sigma_data: f64,
}

impl EctConfig {
    /// The level of the target of `sigma` in a stage, from 0.
    pub fn target_level(&self, sigma: f64, stage: usize) -> f64 {
        let n = 1.0 + 8.0 / (1.0 + sigma.exp());
        (sigma * (1.0 - n / self.q.powi(stage as i32 + 1))).max(0.0)
    }

    fn edm(&self) -> Edm {
        Edm { sigma_data: self.sigma_data, sigma_min: 0.0 }
    }

    /// `D` at the nearer level without gradient; the clean sample where that level is 0. `levels` are `sigma` on the host.
    fn target<B: Backend, F: Backbone<B>>(
        &self,
        net: &F,
        [x, e]: [&Tensor<B, 4>; 2],
        sigma: Tensor<B, 1>,
        levels: &[f64],
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let clean: Vec<bool> = levels.iter().map(|level| *level == 0.0).collect();
        let clean = Tensor::<B, 1, Bool>::from_data(TensorData::new(clean, [levels.len()]), &x.device());
        // Any level will do for the rows that are replaced; that of 0 has no logarithm.
        let sigma = sigma.mask_fill(clean.clone(), 1.0);
        let noisy = x.clone() + e.clone() * per_row(sigma.clone());
        let target = self.edm().denoise(net, noisy, sigma, condition);
        let clean = clean.reshape([levels.len(), 1, 1, 1]).expand(x.dims());
        target.mask_where(clean, x.clone())
    }

    /// The loss of each row, and its squared error.
    fn rows<B: TrainBackend, N: Backbone<B>>(
        &self,
        net: &N,
        [x, e, target]: [&Tensor<B::InnerBackend, 4>; 3],
        sigma: &Tensor<B::InnerBackend, 1>,
        gap: Tensor<B::InnerBackend, 1>,
        condition: Condition<B::InnerBackend>,
    ) -> (Tensor<B, 1>, Tensor<B, 1>) {
        let noisy = x.clone() + e.clone() * per_row(sigma.clone());
        let (noisy, level) = (Tensor::from_inner(noisy), Tensor::from_inner(sigma.clone()));
        let clean = self.edm().denoise(net, noisy, level, &outer(condition));
        let squared = squared_norm(clean - Tensor::from_inner(target.clone()));
        // The smallest number keeps the root differentiable at 0.
        let root = (squared.clone() + self.c * self.c + 1e-30).sqrt() - self.c;
        (root / Tensor::from_inner(gap), squared)
    }
}

impl Facts for EctConfig {
    fn learns(&self) -> Learns {
        Learns::Consistency
    }

    fn prediction(&self) -> Prediction {
        Prediction::Edm(self.edm())
    }

    fn depends_on_length(&self) -> bool {
        self.stages > 1
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw"]
    }

    fn cost(&self) -> Cost {
        Cost::one_pass(1.0)
    }
}

impl Objective for EctConfig {
    const NAME: &'static str = "ect";
    const ABOUT: &'static str =
        "easy consistency tuning: two noise levels of one sample, ever nearer (arXiv 2406.14548)";

    type Tangents = Untaped;
    type Draws = LevelDraws;

    fn read(r: &mut Reader, _about: &About) -> Self {
        Self {
            mean: r.get("mean", Number::ANY, -1.1),
            std: r.get("std", Number::POSITIVE, 2.0),
            q: r.get("q", Number::ABOVE_ONE, 2.0),
            stages: r.get("stages", Within(1, 64), 8),
            c: r.get("c", Number::NOT_NEGATIVE, 0.0),
            sigma_data: r.get("sigma-data", Number::POSITIVE, 0.5),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> LevelDraws {
        let stage = ((at.progress() * self.stages as f64) as usize).min(self.stages - 1);
        let mut rng = at.streams.rng("time-t", at.step);
        let levels = (0..shape[0]).map(|_| {
            let n: f64 = StandardNormal.sample(&mut rng);
            let sigma = (self.mean + self.std * n).exp();
            [sigma, self.target_level(sigma, stage)]
        });
        LevelDraws::new(at, shape, levels)
    }

    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &LevelDraws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Levels { e, sigma, target: level } = draws.levels(batch.x.dims(), &batch.x.device());
        let levels: Vec<f64> = draws.target.iter().map(|&level| f64::from(level)).collect();
        let condition = Condition { dropout: draws.dropout, ..condition(&batch, nets.online.classes()) };
        let x = batch.x;
        let target = self.target(nets.frozen, [&x, &e], level.clone(), &levels, &condition);
        let gap = sigma.clone() - level;
        let (rows, squared) = self.rows::<B, N>(nets.online, [&x, &e, &target], &sigma, gap, condition);
        Loss { loss: rows.mean(), measures: vec![Measure::mean("raw", squared.inner())] }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        let settings = Self {
            mean: reference.number("P_mean")?,
            std: reference.number("P_std")?,
            q: reference.number("q")?,
            stages: 1,
            c: reference.number("c")?,
            sigma_data: reference.number("sigma_data")?,
        };
        let stage = reference.number("stage")? as usize;
        let draws = reference.host("in.normal")?;
        let sigma: Vec<f64> = draws.iter().map(|n| (settings.mean + settings.std * n).exp()).collect();
        let levels: Vec<f64> = sigma.iter().map(|&sigma| settings.target_level(sigma, stage)).collect();
        reference.found_host("in.sigma_t", sigma);
        reference.found_host("in.sigma_r", levels);
        let stub = Stub::<B>::new(reference, "param", Clock::Time, device)?;
        let levels = reference.host("in.sigma_r")?;
        let tensor = |name| reference.tensor::<B::InnerBackend, 4>(name, device);
        let (x, e) = (tensor("in.x")?, tensor("in.e")?);
        let (sigma, level) = (
            reference.column::<B::InnerBackend>("in.sigma_t", device)?,
            reference.column("in.sigma_r", device)?,
        );
        let condition = Condition::labels(reference.labels(device)?);
        let frozen = stub.valid();
        let target = settings.target(&frozen, [&x, &e], level.clone(), &levels, &condition);
        let gap = sigma.clone() - level;
        let (rows, _) = settings.rows::<B, _>(&stub, [&x, &e, &target], &sigma, gap, condition);
        reference.found("out.target", target);
        reference.found("out.per_sample", rows.clone().inner());
        reference.found_loss(&stub, rows.mean());
        Ok(())
    }
}
