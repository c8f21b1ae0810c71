//! Optimizers: one a file, behind one type whose state can be named and stored.

mod adam;
mod clip;
mod decay;
mod muon;
mod names;
mod radam;
mod record;

pub use clip::clip_global_norm;

use crate::{
    config::{MuonConfig, OptimizerConfig},
    state::{Named, ParamVisitor, StateError, all_used, visit_parameters},
};
use burn::{
    module::{AutodiffModule, Module, ParamId},
    optim::{Adam, AdamW, GradientsParams, Optimizer, adaptor::OptimizerAdaptor},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use decay::Decay;
use muon::Muon;
use radam::RAdam;

/// Learning rate of `step` (from 0): linear warm-up over `warmup` steps, then constant.
pub fn learning_rate(lr: f64, warmup: u64, step: u64) -> f64 {
    if step < warmup { lr * (step + 1) as f64 / warmup as f64 } else { lr }
}

/// The optimizer of a run.
pub struct Optim<B: AutodiffBackend, M: AutodiffModule<B>> {
    config: OptimizerConfig,
    rule: Rule<B, M>,
}

enum Rule<B: AutodiffBackend, M: AutodiffModule<B>> {
    Adam(OptimizerAdaptor<Adam, M, B>),
    AdamW(OptimizerAdaptor<AdamW, M, B>),
    RAdam(OptimizerAdaptor<RAdam, M, B>),
    Muon { matrices: OptimizerAdaptor<Muon, M, B>, rest: OptimizerAdaptor<Adam, M, B> },
}

impl<B: AutodiffBackend, M: AutodiffModule<B>> Optim<B, M> {
    /// A fresh optimizer with every constant from the experiment file.
    pub fn new(config: &OptimizerConfig) -> Self {
        let rule = match config {
            OptimizerConfig::Adam(config) => Rule::Adam(adam::adam(config).into()),
            OptimizerConfig::AdamW(config) => Rule::AdamW(adam::adamw(config).into()),
            OptimizerConfig::RAdam(config) => Rule::RAdam(RAdam::new(config).into()),
            OptimizerConfig::Muon(config) => {
                Rule::Muon { matrices: Muon::new(config).into(), rest: adam::adam(&config.adam).into() }
            }
        };
        Self { config: config.clone(), rule }
    }

    /// Update number `step` (from 0). A parameter without a gradient stays as it is.
    pub fn step(&mut self, step: u64, module: M, grads: GradientsParams) -> M {
        let adam = self.config.adam();
        let decay = Decay { rate: adam.weight_decay, except: &adam.weight_decay_except };
        let lr = learning_rate(adam.lr, adam.warmup, step);
        let muon = self.config.learning_rate(step);
        let module = decay.apply(module, &grads, |name, rank| match &self.config {
            OptimizerConfig::Muon(config) if is_matrix(config, name, rank) => muon,
            _ => lr,
        });
        match (&mut self.rule, &self.config) {
            (Rule::Adam(optim), _) => optim.step(lr, module, grads),
            (Rule::AdamW(optim), _) => optim.step(lr, module, grads),
            (Rule::RAdam(optim), _) => optim.step(lr, module, grads),
            (Rule::Muon { matrices, rest }, OptimizerConfig::Muon(config)) => {
                let mut split = Split { config, grads, matrices: GradientsParams::new() };
                visit_parameters(&module, &mut split);
                let module = matrices.step(muon, module, split.matrices);
                rest.step(lr, module, split.grads)
            }
            (Rule::Muon { .. }, _) => unreachable!("the rule is made from the configuration"),
        }
    }

    /// The state under the names `moment_1.<path>`, `moment_2.<path>` and `time.<path>` (updates so far, `[1]`), and
    /// `velocity.<path>` for matrices of Muon.
    pub fn state(&self, module: &M) -> Named {
        let mut state = Named::new();
        match &self.rule {
            Rule::Adam(optim) => record::store(optim, module, &mut state),
            Rule::AdamW(optim) => record::store(optim, module, &mut state),
            Rule::RAdam(optim) => record::store(optim, module, &mut state),
            Rule::Muon { matrices, rest } => {
                record::store(matrices, module, &mut state);
                record::store(rest, module, &mut state);
            }
        }
        state
    }

    /// This optimizer with a stored state, which it uses up.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape or type, or that no parameter takes.
    pub fn with_state(self, module: &M, mut state: Named) -> Result<Self, StateError> {
        let from = &mut state;
        let rule = match self.rule {
            Rule::Adam(optim) => Rule::Adam(record::restore(optim, module, from)?),
            Rule::AdamW(optim) => Rule::AdamW(record::restore(optim, module, from)?),
            Rule::RAdam(optim) => Rule::RAdam(record::restore(optim, module, from)?),
            Rule::Muon { matrices, rest } => Rule::Muon {
                matrices: record::restore(matrices, module, from)?,
                rest: record::restore(rest, module, from)?,
            },
        };
        all_used(state).map(|()| Self { rule, ..self })
    }
}

/// Whether Muon takes this parameter.
fn is_matrix(config: &MuonConfig, name: &str, rank: usize) -> bool {
    rank == 2 && !names::any(&config.except, name)
}

/// Takes the gradients of Muon's matrices out of `grads`.
struct Split<'a> {
    config: &'a MuonConfig,
    grads: GradientsParams,
    matrices: GradientsParams,
}

impl<B: AutodiffBackend> ParamVisitor<B> for Split<'_> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, _tensor: Tensor<B, D>) {
        if is_matrix(self.config, &name, D)
            && let Some(grad) = self.grads.remove::<B::InnerBackend, D>(id)
        {
            self.matrices.register(id, grad);
        }
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
    let except = match config {
        OptimizerConfig::Muon(muon) if !muon.excepts_by_default() => &muon.except[..],
        _ => &[],
    };
    let of = |key: &'static str, patterns: &'a [String]| Some((key, patterns.iter().find(idle)?));
    of("weight-decay-except", &config.adam().weight_decay_except).or_else(|| of("except", except))
}

#[cfg(test)]
mod tests;
