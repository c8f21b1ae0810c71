//! Decoupled weight decay (AdamW, arXiv 1711.05101), for some parameters.

use super::{constants::AdamConfig, names};
use burn::{
    module::{AutodiffModule, ModuleMapper, Param},
    optim::GradientsParams,
    tensor::{Tensor, backend::AutodiffBackend},
};
use meanflow_state::Path;

/// `p ← p·(1 − lr·λ)` before an update, for every parameter that has a gradient, but for those named in `except`.
#[derive(Clone, Debug)]
pub(crate) struct Decay {
    rate: f64,
    except: Vec<String>,
}

impl Decay {
    pub fn new(config: &AdamConfig) -> Self {
        Self { rate: config.weight_decay, except: config.weight_decay_except.clone() }
    }

    /// `module` after the decay at the learning rate `lr`.
    pub fn apply<B: AutodiffBackend, M: AutodiffModule<B>>(
        &self,
        module: M,
        grads: &GradientsParams,
        lr: f64,
    ) -> M {
        if self.rate == 0.0 {
            return module;
        }
        module.map(&mut Mapper { decay: self, grads, factor: 1.0 - lr * self.rate, path: Path::default() })
    }
}

struct Mapper<'a> {
    decay: &'a Decay,
    grads: &'a GradientsParams,
    factor: f64,
    path: Path,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Mapper<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let name = self.path.name();
        let still = self.grads.get::<B::InnerBackend, D>(param.id).is_none();
        if still || names::any(&self.decay.except, &name) {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let tensor = Tensor::from_inner(tensor.inner() * self.factor).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}
