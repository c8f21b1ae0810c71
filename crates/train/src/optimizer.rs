//! Burn's Adam and AdamW behind one type, with a global-norm clip and a state that can be named and stored.

use crate::{
    config::OptimizerConfig,
    state::{Named, ParamVisitor, StateError, all_used, fits, visit_parameters},
};
use burn::{
    module::{AutodiffModule, ParamId},
    optim::{
        Adam, AdamConfig, AdamState, AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams,
        Optimizer, SimpleOptimizer, adaptor::OptimizerAdaptor, record::AdaptorRecord,
    },
    tensor::{
        DType, Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};

/// Learning rate of `step` (from 0): linear warm-up over `warmup` steps, then constant.
pub fn learning_rate(lr: f64, warmup: u64, step: u64) -> f64 {
    if step < warmup { lr * (step + 1) as f64 / warmup as f64 } else { lr }
}

/// Scales all gradients of `module` by `min(1, max_norm / ‖g‖)`, `‖g‖` over all parameters together; returns `‖g‖`, `[1]`.
///
/// `None` only measures. Nothing is read back from the device.
pub fn clip_global_norm<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    grads: &mut GradientsParams,
    max_norm: Option<f64>,
) -> Option<Tensor<B::InnerBackend, 1>> {
    let mut norm = SquaredNorm::<B::InnerBackend> { grads, sum: None };
    visit_parameters(module, &mut norm);
    let norm = norm.sum?.sqrt();
    if let Some(max_norm) = max_norm {
        // Same form as torch.nn.utils.clip_grad_norm_.
        let scale = ((norm.clone() + 1e-6).recip() * max_norm).clamp_max(1.0);
        visit_parameters(module, &mut Scale::<B::InnerBackend> { grads, scale });
    }
    Some(norm)
}

struct SquaredNorm<'a, I: Backend> {
    grads: &'a GradientsParams,
    sum: Option<Tensor<I, 1>>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for SquaredNorm<'_, I> {
    fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
        let Some(grad) = self.grads.get::<I, D>(id) else { return };
        let (rows, count) = (grad.dims()[0].max(1), grad.shape().num_elements());
        // By `sum_dim` twice: a flat `sum` over many elements adds in whatever order Flex's threads finish.
        let squares = grad.reshape([rows, count / rows]).powi_scalar(2).sum_dim(1);
        let squares = squares.reshape([1, rows]).sum_dim(1).reshape([1]);
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
    }
}

struct Scale<'a, I: Backend> {
    grads: &'a mut GradientsParams,
    scale: Tensor<I, 1>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for Scale<'_, I> {
    fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
        if let Some(grad) = self.grads.remove::<I, D>(id) {
            self.grads.register(id, grad * self.scale.clone().reshape([1; D]));
        }
    }
}

/// The optimizer of a run.
pub enum Optim<B: AutodiffBackend, M: AutodiffModule<B>> {
    /// Adam (decay 0).
    Adam(OptimizerAdaptor<Adam, M, B>),
    /// AdamW.
    AdamW(OptimizerAdaptor<AdamW, M, B>),
}

impl<B: AutodiffBackend, M: AutodiffModule<B>> Optim<B, M> {
    /// A fresh optimizer with every constant from the experiment file.
    pub fn new(config: &OptimizerConfig) -> Self {
        match config {
            OptimizerConfig::Adam(adam) => Self::Adam(
                AdamConfig::new()
                    .with_beta_1(adam.betas[0] as f32)
                    .with_beta_2(adam.betas[1] as f32)
                    .with_epsilon(adam.eps as f32)
                    .init(),
            ),
            OptimizerConfig::AdamW(adam) => Self::AdamW(
                AdamWConfig::new()
                    .with_beta_1(adam.betas[0] as f32)
                    .with_beta_2(adam.betas[1] as f32)
                    .with_epsilon(adam.eps as f32)
                    .with_weight_decay(adam.weight_decay as f32)
                    .init(),
            ),
        }
    }

    /// One update.
    pub fn step(&mut self, lr: f64, module: M, grads: GradientsParams) -> M {
        match self {
            Self::Adam(optim) => optim.step(lr, module, grads),
            Self::AdamW(optim) => optim.step(lr, module, grads),
        }
    }

    /// The state under the names `moment_1.<path>`, `moment_2.<path>` and `time.<path>` (updates so far, `[1]`).
    pub fn state(&self, module: &M) -> Named {
        match self {
            Self::Adam(optim) => moments(optim.to_record(), module),
            Self::AdamW(optim) => moments(optim.to_record(), module),
        }
    }

    /// This optimizer with a stored state, which it uses up.
    ///
    /// # Errors
    /// A moment that is missing or of another shape or type.
    pub fn with_state(self, module: &M, state: Named) -> Result<Self, StateError> {
        Ok(match self {
            Self::Adam(optim) => Self::Adam(optim.load_record(from_moments(module, state)?)),
            Self::AdamW(optim) => Self::AdamW(optim.load_record(from_moments(module, state)?)),
        })
    }
}

type Records<O, B> =
    <OptimizerAdaptor<O, burn::nn::Linear<B>, B> as Optimizer<burn::nn::Linear<B>, B>>::Record;

/// Optimizer states that consist of adaptive moments.
trait Moments<B: Backend>: SimpleOptimizer<B> {
    fn into_moments<const D: usize>(state: Self::State<D>) -> AdaptiveMomentumState<B, D>;
    fn from_moments<const D: usize>(moments: AdaptiveMomentumState<B, D>) -> Self::State<D>;
}

impl<B: Backend> Moments<B> for Adam {
    fn into_moments<const D: usize>(state: AdamState<B, D>) -> AdaptiveMomentumState<B, D> {
        state.momentum
    }

    fn from_moments<const D: usize>(moments: AdaptiveMomentumState<B, D>) -> AdamState<B, D> {
        AdamState::new(moments)
    }
}

impl<B: Backend> Moments<B> for AdamW {
    fn into_moments<const D: usize>(state: AdamWState<B, D>) -> AdaptiveMomentumState<B, D> {
        state.momentum
    }

    fn from_moments<const D: usize>(moments: AdaptiveMomentumState<B, D>) -> AdamWState<B, D> {
        AdamWState { momentum: moments }
    }
}

fn moments<B, O, M>(records: Records<O, B>, module: &M) -> Named
where
    B: AutodiffBackend,
    O: Moments<B::InnerBackend>,
    M: AutodiffModule<B>,
{
    let mut reader = MomentReader::<O, B> { records, state: Named::new() };
    visit_parameters(module, &mut reader);
    reader.state
}

struct MomentReader<O: SimpleOptimizer<B::InnerBackend>, B: AutodiffBackend> {
    records: Records<O, B>,
    state: Named,
}

impl<O: Moments<B::InnerBackend>, B: AutodiffBackend> ParamVisitor<B> for MomentReader<O, B> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, _tensor: Tensor<B, D>) {
        // A parameter that never had a gradient has no state.
        let Some(record) = self.records.remove(&id) else { return };
        let moments = O::into_moments(record.into_state::<D>());
        self.state.insert(format!("moment_1.{name}"), moments.moment_1.into_data());
        self.state.insert(format!("moment_2.{name}"), moments.moment_2.into_data());
        self.state.insert(format!("time.{name}"), TensorData::new(vec![moments.time as i64], [1]));
    }
}

fn from_moments<B, O, M>(module: &M, state: Named) -> Result<Records<O, B>, StateError>
where
    B: AutodiffBackend,
    O: Moments<B::InnerBackend>,
    M: AutodiffModule<B>,
{
    let mut writer = MomentWriter::<O, B> { records: Records::<O, B>::default(), state, problem: None };
    visit_parameters(module, &mut writer);
    match writer.problem {
        Some(problem) => Err(problem),
        None => all_used(writer.state).map(|()| writer.records),
    }
}

struct MomentWriter<O: SimpleOptimizer<B::InnerBackend>, B: AutodiffBackend> {
    records: Records<O, B>,
    state: Named,
    problem: Option<StateError>,
}

impl<O: Moments<B::InnerBackend>, B: AutodiffBackend> MomentWriter<O, B> {
    fn read<const D: usize>(
        &mut self,
        name: &str,
        tensor: &Tensor<B, D>,
    ) -> Result<Option<AdaptiveMomentumState<B::InnerBackend, D>>, StateError> {
        let key = format!("time.{name}");
        let Some(time) = self.state.remove(&key) else { return Ok(None) };
        fits(&key, &time, &[1], DType::I64)?;
        let time = time.iter::<i64>().next().unwrap_or_default() as usize;
        let mut moment = |kind: &str| {
            let key = format!("{kind}.{name}");
            let data = self.state.remove(&key).ok_or_else(|| StateError::Missing(key.clone()))?;
            fits(&key, &data, &tensor.dims(), tensor.dtype())?;
            Ok(Tensor::from_data(data, (&tensor.device(), tensor.dtype())))
        };
        Ok(Some(AdaptiveMomentumState::new(time, moment("moment_1")?, moment("moment_2")?)))
    }
}

impl<O: Moments<B::InnerBackend>, B: AutodiffBackend> ParamVisitor<B> for MomentWriter<O, B> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, tensor: Tensor<B, D>) {
        match self.read(&name, &tensor) {
            Ok(Some(moments)) => {
                self.records.insert(id, AdaptorRecord::from_state(O::from_moments(moments)));
            }
            Ok(None) => {}
            Err(problem) => {
                self.problem.get_or_insert(problem);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        backend::{Autodiff, Flex},
        nn::{Linear, LinearConfig},
    };

    type B = Autodiff<Flex>;

    #[test]
    fn warm_up_is_linear() {
        let rates: Vec<f64> = (0..6).map(|step| learning_rate(0.4, 4, step)).collect();
        assert_eq!(rates, [0.1, 0.2, 0.30000000000000004, 0.4, 0.4, 0.4]);
        assert_eq!(learning_rate(0.4, 0, 0), 0.4);
    }

    /// A layer whose loss has the gradient 3 for each of its 2 weights and 4 for its bias.
    fn gradients() -> (Linear<B>, GradientsParams) {
        let net: Linear<B> = LinearConfig::new(2, 1).init(&Default::default());
        let bias = net.bias.as_ref().expect("a layer with bias").val();
        let loss = net.weight.val().sum() * 3.0 + bias.sum() * 4.0;
        let grads = GradientsParams::from_grads(loss.backward(), &net);
        (net, grads)
    }

    fn values(net: &Linear<B>, grads: &GradientsParams) -> Vec<f32> {
        let weight: Tensor<Flex, 2> = grads.get(net.weight.id).expect("a gradient");
        let bias: Tensor<Flex, 1> =
            grads.get(net.bias.as_ref().expect("a layer with bias").id).expect("a gradient");
        weight.into_data().iter::<f32>().chain(bias.into_data().iter::<f32>()).collect()
    }

    #[test]
    fn the_clip_is_over_all_parameters_together() {
        let norm = 34f32.sqrt();
        for (max, scale) in [(Some(1.0), 1.0 / norm), (Some(100.0), 1.0), (None, 1.0)] {
            let (net, mut grads) = gradients();
            let measured = clip_global_norm(&net, &mut grads, max).expect("parameters").into_data();
            assert!((measured.iter::<f32>().next().unwrap() - norm).abs() < 1e-5);
            for (value, raw) in values(&net, &grads).into_iter().zip([3.0, 3.0, 4.0]) {
                assert!((value - raw * scale).abs() < 1e-5, "{value} for {max:?}");
            }
        }
    }

    /// Flex splits flat sums of 4 Mi elements and more over its threads.
    #[test]
    fn a_norm_over_millions_does_not_depend_on_threads() {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        for shape in [[5 << 20, 1], [1, 5 << 20], [1280, 4096]] {
            let value =
                burn::tensor::TensorData::new((0..5 << 20).map(|i| (i as f32).sin()).collect(), shape);
            let mut net: Linear<B> = LinearConfig::new(2, 1).with_bias(false).init(&Default::default());
            net.weight =
                net.weight.map(|_| Tensor::from_data(value.clone(), &Default::default()).require_grad());
            let norm = |threads| {
                pool(threads).install(|| {
                    let loss = net.weight.val().powi_scalar(2).sum_dim(1).sum_dim(0) * 0.5;
                    let mut grads = GradientsParams::from_grads(loss.backward(), &net);
                    clip_global_norm(&net, &mut grads, None).expect("a parameter").into_data().to_vec::<f32>()
                })
            };
            let one = norm(1).expect("a number");
            let exact = value.iter::<f64>().map(|x| x * x).sum::<f64>().sqrt();
            assert!((f64::from(one[0]) / exact - 1.0).abs() < 1e-4, "{} is not {exact}", one[0]);
            for _ in 0..20 {
                assert_eq!(norm(2).expect("a number"), one);
            }
        }
    }

    #[test]
    fn a_stored_state_goes_on_to_the_bit() {
        let config = OptimizerConfig::Adam(crate::config::AdamConfig {
            lr: 0.1,
            betas: [0.9, 0.95],
            eps: 1e-8,
            warmup: 0,
            weight_decay: 0.0,
        });
        let weights = |net: &Linear<B>| net.weight.val().into_data();
        let mut optim = Optim::<B, Linear<B>>::new(&config);
        let (net, grads) = gradients();
        let net = optim.step(0.1, net, grads);
        let state = optim.state(&net);
        let mut restored = Optim::new(&config).with_state(&net, state).expect("its own state");
        let again = || {
            let loss = net.weight.val().powi_scalar(2).sum() + net.bias.as_ref().expect("a bias").val().sum();
            GradientsParams::from_grads(loss.backward(), &net)
        };
        let (a, b) = (optim.step(0.1, net.clone(), again()), restored.step(0.1, net.clone(), again()));
        assert_eq!(weights(&a), weights(&b));
        let fresh = Optim::new(&config).step(0.1, net.clone(), again());
        assert_ne!(weights(&a), weights(&fresh), "the moments matter");
    }
}
