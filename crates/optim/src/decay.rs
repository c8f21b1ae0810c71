//! Decoupled weight decay (AdamW, arXiv 1711.05101), for some parameters.

use super::names;
use burn::{
    module::{AutodiffModule, ModuleMapper, Param},
    optim::GradientsParams,
    tensor::{Tensor, backend::AutodiffBackend},
};
use meanflow_state::Path;

/// `p ← p·(1 − lr·λ)` before an update, for every parameter that has a gradient, but for those named in `except`.
pub(crate) struct Decay<'a> {
    pub rate: f64,
    pub except: &'a [String],
}

impl Decay<'_> {
    /// `module` after the decay; `lr` tells the learning rate of a parameter by its path and rank.
    pub fn apply<B: AutodiffBackend, M: AutodiffModule<B>>(
        &self,
        module: M,
        grads: &GradientsParams,
        lr: impl Fn(&str, usize) -> f64,
    ) -> M {
        if self.rate == 0.0 {
            return module;
        }
        module.map(&mut Mapper { decay: self, grads, lr, path: Path::default() })
    }
}

struct Mapper<'a, F> {
    decay: &'a Decay<'a>,
    grads: &'a GradientsParams,
    lr: F,
    path: Path,
}

impl<B: AutodiffBackend, F: Fn(&str, usize) -> f64> ModuleMapper<B> for Mapper<'_, F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let name = self.path.name();
        let still = self.grads.get::<B::InnerBackend, D>(param.id).is_none();
        if still || names::any(self.decay.except, &name) {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let factor = 1.0 - (self.lr)(&name, D) * self.decay.rate;
        let tensor = Tensor::from_inner(tensor.inner() * factor).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}
