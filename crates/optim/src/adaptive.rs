//! Adam's rule for every parameter that has a gradient, with decay and averages in one pass.

use super::{
    constants::AdamConfig,
    kind::{Rule, Update},
    moments, names,
    pass::pass,
    record::Slots,
    swap,
};
use burn::{
    module::{AutodiffModule, ParamId},
    optim::{AdaptiveMomentumState, GradientsParams},
    tensor::{
        Tensor, TensorPrimitive,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_kernels::{Adam, Form, Gradient, Moments};
use meanflow_state::{Named, ParamVisitor, StateError, visit_parameters};
use std::collections::HashMap;

/// The rule with the moments of every parameter that ever had a gradient.
pub(crate) struct Adaptive<I: Backend> {
    config: AdamConfig,
    form: Form,
    moments: HashMap<ParamId, Moments<I>>,
}

impl<I: Backend> Adaptive<I> {
    pub(crate) fn new(config: &AdamConfig, form: Form) -> Self {
        Self { config: config.clone(), form, moments: HashMap::new() }
    }

    /// See [`Rule::restored`].
    pub(crate) fn restore<B, M>(self, module: &M, state: &mut Named) -> Result<Self, StateError>
    where
        B: AutodiffBackend<InnerBackend = I>,
        M: AutodiffModule<B>,
    {
        let mut restore = Restore { moments: HashMap::new(), state, problem: None };
        visit_parameters(module, &mut restore);
        match restore.problem {
            Some(problem) => Err(problem),
            None => Ok(Self { moments: restore.moments, ..self }),
        }
    }
}

impl<B: AutodiffBackend, M: AutodiffModule<B>> Rule<B, M> for Adaptive<B::InnerBackend> {
    fn update(
        &mut self,
        rate: &dyn Fn(f64) -> f64,
        Update { module, gradients, scale, averages }: Update<B, M>,
    ) -> (M, Vec<M::InnerModule>) {
        let AdamConfig { lr, betas, eps, weight_decay: decay, .. } = self.config;
        let betas = betas.map(|beta| beta as f32);
        let adam = Adam { betas, epsilon: eps as f32, form: self.form, rate: rate(lr), decay };
        let mut gather = Gather { rule: self, adam, gradients, found: Vec::new() };
        visit_parameters(&module, &mut gather);
        let (ids, gradients): (Vec<ParamId>, Vec<_>) = gather.found.into_iter().unzip();

        let (module, values) = swap::take(module);
        let trained: Vec<bool> = values.iter().map(B::float_is_require_grad).collect();
        let parameters = values.into_iter().map(B::inner).zip(gradients).collect();
        let (updated, averages) = pass(parameters, scale, averages);
        let mut values = Vec::new();
        for ((id, trained), parameter) in ids.into_iter().zip(trained).zip(updated) {
            values.push(B::float_set_require_grad(B::from_inner(parameter.value), trained));
            self.moments.extend(parameter.moments.map(|moments| (id, moments)));
        }
        (swap::give(module, values), averages)
    }

    fn store(&self, module: &M, to: &mut Named) {
        visit_parameters(module, &mut Store { moments: &self.moments, to });
    }

    fn restored(self: Box<Self>, module: &M, from: &mut Named) -> Result<Box<dyn Rule<B, M>>, StateError> {
        Ok(Box::new(self.restore(module, from)?))
    }
}

/// Takes the gradients and the moments of all parameters, in their order.
struct Gather<'a, I: Backend> {
    rule: &'a mut Adaptive<I>,
    adam: Adam,
    gradients: GradientsParams,
    found: Vec<(ParamId, Option<Gradient<I>>)>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for Gather<'_, I> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, _tensor: Tensor<B, D>) {
        let gradient = self.gradients.remove::<I, D>(id).map(|gradient| {
            let except = names::any(&self.rule.config.weight_decay_except, &name);
            Gradient {
                value: gradient.into_primitive().tensor(),
                adam: Adam { decay: if except { 0.0 } else { self.adam.decay }, ..self.adam },
                moments: self.rule.moments.remove(&id),
            }
        });
        self.found.push((id, gradient));
    }
}

struct Store<'a, I: Backend> {
    moments: &'a HashMap<ParamId, Moments<I>>,
    to: &'a mut Named,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for Store<'_, I> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, _tensor: Tensor<B, D>) {
        // A parameter that never had a gradient has no moments.
        if let Some(Moments { time, first, second }) = self.moments.get(&id) {
            let [first, second] = [first, second]
                .map(|tensor| Tensor::<I, D>::from_primitive(TensorPrimitive::Float(tensor.clone())));
            moments::store(AdaptiveMomentumState::new(*time, first, second), &name, self.to);
        }
    }
}

struct Restore<'a, I: Backend> {
    moments: HashMap<ParamId, Moments<I>>,
    state: &'a mut Named,
    problem: Option<StateError>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for Restore<'_, I> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, tensor: Tensor<B, D>) {
        match moments::restore(&tensor.inner(), &mut Slots::of(&name, self.state)) {
            Ok(Some(AdaptiveMomentumState { time, moment_1, moment_2, .. })) => {
                let [first, second] = [moment_1, moment_2].map(|tensor| tensor.into_primitive().tensor());
                self.moments.insert(id, Moments { time, first, second });
            }
            Ok(None) => {}
            Err(problem) => {
                self.problem.get_or_insert(problem);
            }
        }
    }
}
