#![doc = include_str!("../README.md")]

mod adam;
mod adamw;
mod adaptive;
mod clip;
mod constants;
mod decay;
pub mod ema;
mod kind;
mod moments;
mod muon;
mod names;
mod pass;
mod radam;
mod record;
mod swap;

pub use adam::Adam;
pub use adamw::AdamW;
pub use constants::{AdamConfig, Lengths};
pub use muon::{Adjust, MuonConfig};
pub use radam::RAdam;

use burn::{
    module::{AutodiffModule, Module, ParamId},
    optim::GradientsParams,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use kind::{Kind, Rule, Update, optimizers};
use meanflow_settings::Reader;
use meanflow_state::{Named, ParamVisitor, StateError, all_used, visit_parameters};

optimizers! {
    Adam(Adam),
    AdamW(AdamW),
    RAdam(RAdam),
    Muon(MuonConfig),
}

impl OptimizerConfig {
    /// The learning rate of `step` (from 0) that the log tells: that of Muon's matrices, else the only one.
    pub fn learning_rate(&self, step: u64) -> f64 {
        learning_rate(self.rate(), self.adam().warmup, step)
    }
}

/// Learning rate of `step` (from 0): linear warm-up over `warmup` steps, then constant.
pub fn learning_rate(lr: f64, warmup: u64, step: u64) -> f64 {
    if step < warmup { lr * (step + 1) as f64 / warmup as f64 } else { lr }
}

/// The optimizer of a run.
pub struct Optim<B: AutodiffBackend, M: AutodiffModule<B>> {
    config: OptimizerConfig,
    rule: Box<dyn Rule<B, M>>,
}

impl<B: AutodiffBackend, M: AutodiffModule<B> + 'static> Optim<B, M> {
    /// A fresh optimizer with every constant from the experiment file.
    pub fn new(config: &OptimizerConfig) -> Self {
        Self { config: config.clone(), rule: config.rule() }
    }

    /// Update number `step` (from 0). A parameter without a gradient stays as it is.
    pub fn step(&mut self, step: u64, module: M, gradients: GradientsParams) -> M {
        self.update(step, Update { module, gradients, scale: None, averages: Vec::new() }).0
    }

    /// Update number `step` (from 0) with all that belongs to it: gradients are first clipped to the global norm `clip`, scaled by
    /// `min(1, clip/‖g‖)` with `‖g‖` over all parameters together; averages, each with the [share](ema::Profile::decay_at) that it
    /// keeps, follow the new weights.
    ///
    /// Nothing is read back from the device.
    pub fn step_with_averages(
        &mut self,
        step: u64,
        clip: Option<f64>,
        module: M,
        gradients: GradientsParams,
        averages: Vec<(M::InnerModule, f64)>,
    ) -> Stepped<B, M> {
        let norm = clip::global_norm(&module, &gradients);
        let scale = norm.clone().zip(clip).map(|(norm, clip)| clip::scale(norm, clip));
        let (module, averages) = self.update(step, Update { module, gradients, scale, averages });
        Stepped { module, averages, norm }
    }

    fn update(&mut self, step: u64, update: Update<B, M>) -> (M, Vec<M::InnerModule>) {
        let warmup = self.config.adam().warmup;
        self.rule.update(&|lr| learning_rate(lr, warmup, step), update)
    }

    /// The state under the names `moment_1.<path>`, `moment_2.<path>` and `time.<path>` (updates so far, `[1]`), and
    /// `velocity.<path>` for matrices of Muon.
    pub fn state(&self, module: &M) -> Named {
        let mut state = Named::new();
        self.rule.store(module, &mut state);
        state
    }

    /// This optimizer with a stored state, which it uses up.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape or type, or that no parameter takes.
    pub fn with_state(self, module: &M, mut state: Named) -> Result<Self, StateError> {
        let rule = self.rule.restored(module, &mut state)?;
        all_used(state).map(|()| Self { rule, ..self })
    }
}

/// What a step leaves.
pub struct Stepped<B: AutodiffBackend, M: AutodiffModule<B>> {
    /// The new weights.
    pub module: M,
    /// Their averages, in the order in which they were given.
    pub averages: Vec<M::InnerModule>,
    /// The norm of all gradients before the clip, `[1]`; `None` without a gradient.
    pub norm: Option<Tensor<B::InnerBackend, 1>>,
}

/// The first pattern of `weight-decay-except`, or of Muon's `except` if that is not the default for all networks, that names no
/// parameter of `module`: a misspelt one would do nothing in silence. With the key that it is of.
pub fn idle_pattern<'a, B: Backend, M: Module<B>>(
    config: &'a OptimizerConfig,
    module: &M,
) -> Option<(&'static str, &'a String)> {
    struct Paths(Vec<String>);
    impl<B: Backend> ParamVisitor<B> for Paths {
        fn visit<const D: usize>(&mut self, name: String, _id: ParamId, _tensor: Tensor<B, D>) {
            self.0.push(name);
        }
    }
    let mut paths = Paths(Vec::new());
    visit_parameters(module, &mut paths);
    let idle =
        |pattern: &&String| !paths.0.iter().any(|path| names::any(std::slice::from_ref(*pattern), path));
    let of = |key: &'static str, patterns: &'a [String]| Some((key, patterns.iter().find(idle)?));
    of("weight-decay-except", &config.adam().weight_decay_except).or_else(|| of("except", config.except()))
}

#[cfg(test)]
mod tests;
