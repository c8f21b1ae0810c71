#![doc = include_str!("../README.md")]

mod adam;
mod adamw;
mod clip;
mod constants;
mod decay;
pub mod ema;
mod kind;
mod moments;
mod muon;
mod names;
mod radam;
mod record;

pub use adam::Adam;
pub use adamw::AdamW;
pub use clip::clip_global_norm;
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
use decay::Decay;
use kind::{Kind, Rule, optimizers};
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
    pub fn step(&mut self, step: u64, module: M, grads: GradientsParams) -> M {
        let adam = self.config.adam();
        let rate = |lr: f64| learning_rate(lr, adam.warmup, step);
        let decay = Decay { rate: adam.weight_decay, except: &adam.weight_decay_except };
        let module = decay.apply(module, &grads, |name, rank| rate(self.config.rate_of(name, rank)));
        self.rule.step(&rate, module, grads)
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
