//! RAdam: Adam with a rectified variance (Liu et al. 2020, arXiv 1908.03265, algorithm 2).

use super::{
    constants::{AdamConfig, Lengths},
    decay::Decay,
    kind::{Kind, Rule, Single},
    moments::{restore, store},
    record::{Slots, Stored},
};
use burn::{
    module::AutodiffModule,
    optim::{AdamState, AdaptiveMomentumState, LearningRate, SimpleOptimizer},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_settings::Reader;
use meanflow_state::{Named, StateError};

/// `[optimizer.radam]`: rectified Adam, with decoupled weight decay.
#[derive(Clone, Debug, PartialEq)]
pub struct RAdam(pub AdamConfig);

impl Kind for RAdam {
    const NAME: &'static str = "radam";
    const ABOUT: &'static str = "Adam with a rectified variance (arXiv 1908.03265)";

    fn read(r: &mut Reader, lengths: Lengths) -> Self {
        Self(AdamConfig::read("lr", true, r, lengths))
    }

    fn adam(&self) -> &AdamConfig {
        &self.0
    }

    fn rule<B: AutodiffBackend, M: AutodiffModule<B> + 'static>(&self) -> Box<dyn Rule<B, M>> {
        let optim = Rectified::new(&self.0).into();
        Box::new(Single { optim, lr: self.0.lr, decay: Decay::new(&self.0) })
    }
}

/// RAdam as `torch.optim.RAdam` computes it, which adds `eps` to `√v` before the bias correction.
#[derive(Clone, Debug)]
struct Rectified {
    betas: [f64; 2],
    eps: f64,
}

impl Rectified {
    fn new(config: &AdamConfig) -> Self {
        Self { betas: config.betas, eps: config.eps }
    }

    /// What the step of `m̂` is multiplied with before the division by `√v + eps`: `r_t·√(1 − β₂ᵗ)`. `None` where the
    /// variance has no finite variance itself, `ρ_t ≤ 5` (torch's threshold; the paper writes 4): then there is no division.
    fn rectification(&self, time: usize) -> Option<f64> {
        let [_, beta] = self.betas;
        let (t, power) = (time as f64, beta.powf(time as f64));
        let longest = 2.0 / (1.0 - beta) - 1.0;
        let length = longest - 2.0 * t * power / (1.0 - power);
        let r = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length);
        (length > 5.0).then(|| (r * (1.0 - power)).sqrt())
    }
}

impl<B: Backend> SimpleOptimizer<B> for Rectified {
    type State<const D: usize> = AdamState<B, D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<B, D>,
        grad: Tensor<B, D>,
        state: Option<AdamState<B, D>>,
    ) -> (Tensor<B, D>, Option<AdamState<B, D>>) {
        let [beta_1, beta_2] = self.betas;
        let (first, second) = (grad.clone() * (1.0 - beta_1), grad.square() * (1.0 - beta_2));
        let moments = match state {
            None => AdaptiveMomentumState::new(1, first, second),
            Some(AdamState { momentum: old }) => AdaptiveMomentumState::new(
                old.time + 1,
                old.moment_1 * beta_1 + first,
                old.moment_2 * beta_2 + second,
            ),
        };
        let rate = lr / (1.0 - beta_1.powf(moments.time as f64));
        let delta = match self.rectification(moments.time) {
            Some(factor) => {
                moments.moment_1.clone() * (rate * factor) / (moments.moment_2.clone().sqrt() + self.eps)
            }
            None => moments.moment_1.clone() * rate,
        };
        (tensor - delta, Some(AdamState::new(moments)))
    }

    fn to_device<const D: usize>(mut state: AdamState<B, D>, device: &B::Device) -> AdamState<B, D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

impl<B: Backend> Stored<B> for Rectified {
    fn store<const D: usize>(state: AdamState<B, D>, name: &str, to: &mut Named) {
        store(state.momentum, name, to);
    }

    fn restore<const D: usize>(
        like: &Tensor<B, D>,
        slots: &mut Slots,
    ) -> Result<Option<AdamState<B, D>>, StateError> {
        Ok(restore(like, slots)?.map(AdamState::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    /// `torch.optim.RAdam` (PyTorch 2.15, f64) with `lr = 0.05`, `eps = 1e-8` on five numbers that start at `cos i` and have
    /// the gradient `sin(0.7k + 1.3i) + 0.1·cos(k·i)` in step `k`. Update 5 is the last without rectification, 6 the first.
    #[test]
    fn it_is_the_one_of_pytorch() {
        let known = [
            (0.999, 4, [0.901135984764, 0.375065394479, -0.427247846745, -0.843297045046, -0.574834854645]),
            (0.999, 5, [0.867080216218, 0.368840779607, -0.402727218228, -0.823483026315, -0.588769359381]),
            (0.999, 6, [0.86618798216, 0.369011466299, -0.401859701428, -0.823239880916, -0.589436800059]),
            (0.999, 7, [0.865629346722, 0.369432973308, -0.401235923709, -0.823426788638, -0.5902071444]),
            (0.999, 12, [0.864492001257, 0.368113458471, -0.402595344361, -0.822845008928, -0.588605828379]),
            (0.95, 5, [0.867080216218, 0.368840779607, -0.402727218228, -0.823483026315, -0.588769359381]),
            (0.95, 6, [0.860740394584, 0.370050781043, -0.396605271951, -0.821754730396, -0.593444869967]),
            (0.95, 7, [0.85675318455, 0.373078349324, -0.392155367074, -0.823078030586, -0.598956998834]),
            (0.95, 12, [0.848759366059, 0.363643306165, -0.401775454849, -0.819083151646, -0.587680320473]),
        ];
        for (beta, updates, expected) in known {
            let optim = Rectified { betas: [0.9, beta], eps: 1e-8 };
            let device = Default::default();
            let numbers = |of: &dyn Fn(f64) -> f64| -> Tensor<Flex, 1> {
                Tensor::from_floats([0.0, 1.0, 2.0, 3.0, 4.0].map(|i| of(i) as f32), &device)
            };
            let (mut tensor, mut state) = (numbers(&f64::cos), None);
            for k in 0..updates {
                let k = f64::from(k);
                let grad = numbers(&|i| (0.7 * k + 1.3 * i).sin() + 0.1 * (k * i).cos());
                (tensor, state) = SimpleOptimizer::<Flex>::step(&optim, 0.05, tensor, grad, state);
            }
            for (value, expected) in tensor.into_data().iter::<f64>().zip(expected) {
                assert!(
                    (value - expected).abs() < 1e-6,
                    "{value} is not {expected} after {updates}, β₂ = {beta}"
                );
            }
        }
    }
}
