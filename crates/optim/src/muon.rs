//! Muon: momentum whose update is orthogonalised (Jordan et al. 2024, <https://kellerjordan.github.io/posts/muon/>).
//!
//! Not Burn's: its scale reads a matrix as `[out, in]` while `Linear` stores `[in, out]`, and its norm is a flat sum, which is
//! not the same twice on many elements.

use super::{
    adaptive::Adaptive,
    constants::{AdamConfig, Lengths},
    decay::Decay,
    kind::{Kind, Rule, Single, Update},
    names,
    record::{Slots, Stored},
};
use burn::{
    module::{AutodiffModule, ParamId},
    optim::{GradientsParams, LearningRate, SimpleOptimizer},
    record::Record,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_kernels::{Form, sum_of_squares};
use meanflow_settings::{Choice, Number, Reader, Series, Text, Within};
use meanflow_state::{Named, ParamVisitor, StateError, visit_parameters};

/// `[optimizer.muon]`: Muon for matrices, Adam for the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct MuonConfig {
    /// Learning rate of the matrices after the warm-up, which is Adam's.
    pub lr: f64,
    /// Share of the mean gradient that a step keeps.
    pub momentum: f64,
    /// Newton–Schulz iterations.
    pub ns_steps: usize,
    /// How the learning rate depends on the shape of a matrix.
    pub adjust: Adjust,
    /// Patterns of the paths of matrices that Adam takes.
    pub except: Vec<String>,
    /// For everything but those matrices; its weight decay is for all.
    pub adam: AdamConfig,
}

/// How Muon's learning rate depends on the shape of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjust {
    /// `√max(1, outputs/inputs)` (Jordan et al.).
    Original,
    /// `0.2·√max(outputs, inputs)` (Liu et al., arXiv 2502.16982): updates as large as AdamW's.
    MatchRmsAdamW,
}

/// The first and the last layers, embeddings and tables, which Muon is not meant for.
const NOT_HIDDEN: [&str; 6] =
    ["*embedder*", "*.mapping.*", "*_tokens", "*final_layer*", "*.input.*", "*.output.*"];

impl MuonConfig {
    /// Whether Muon takes this parameter.
    fn takes(&self, name: &str, rank: usize) -> bool {
        rank == 2 && !names::any(&self.except, name)
    }
}

impl Kind for MuonConfig {
    const NAME: &'static str = "muon";
    const ABOUT: &'static str =
        "orthogonalised momentum for matrices, Adam for the rest (Jordan et al. 2024)";

    fn read(r: &mut Reader, lengths: Lengths) -> Self {
        Self {
            lr: r.get("lr", Number::POSITIVE, 0.02),
            momentum: r.get("momentum", Number::BELOW_ONE, 0.95),
            ns_steps: r.get("ns-steps", Within(1, 99), 5),
            adjust: r.get(
                "adjust",
                Choice(vec![("original", Adjust::Original), ("match-rms-adamw", Adjust::MatchRmsAdamW)]),
                Adjust::Original,
            ),
            except: r.get("except", Series(Text::SOME, 0), NOT_HIDDEN.map(str::to_owned).to_vec()),
            adam: AdamConfig::read("adam-lr", true, r, lengths),
        }
    }

    fn adam(&self) -> &AdamConfig {
        &self.adam
    }

    fn rate(&self) -> f64 {
        self.lr
    }

    /// None where it is the default, which is for all networks.
    fn except(&self) -> &[String] {
        if self.except == NOT_HIDDEN { &[] } else { &self.except }
    }

    fn rule<B: AutodiffBackend, M: AutodiffModule<B> + 'static>(&self) -> Box<dyn Rule<B, M>> {
        Box::new(Split {
            config: self.clone(),
            matrices: Single { optim: Muon::new(self).into(), lr: self.lr, decay: Decay::new(&self.adam) },
            rest: Adaptive::new(&self.adam, Form::Joint),
        })
    }
}

/// Muon for the matrices, Adam for the rest.
struct Split<B: AutodiffBackend, M: AutodiffModule<B>> {
    config: MuonConfig,
    matrices: Single<Muon, M, B>,
    rest: Adaptive<B::InnerBackend>,
}

impl<B: AutodiffBackend, M: AutodiffModule<B> + 'static> Rule<B, M> for Split<B, M> {
    fn update(
        &mut self,
        rate: &dyn Fn(f64) -> f64,
        Update { module, gradients, scale, averages }: Update<B, M>,
    ) -> (M, Vec<M::InnerModule>) {
        let mut parts = Parts { config: &self.config, gradients, matrices: GradientsParams::new() };
        visit_parameters(&module, &mut parts);
        let Parts { gradients, matrices, .. } = parts;
        let matrices = Update { module, gradients: matrices, scale: scale.clone(), averages: Vec::new() };
        let (module, _) = self.matrices.update(rate, matrices);
        self.rest.update(rate, Update { module, gradients, scale, averages })
    }

    fn store(&self, module: &M, to: &mut Named) {
        self.matrices.store(module, to);
        Rule::<B, M>::store(&self.rest, module, to);
    }

    fn restored(self: Box<Self>, module: &M, from: &mut Named) -> Result<Box<dyn Rule<B, M>>, StateError> {
        let Self { config, matrices, rest } = *self;
        Ok(Box::new(Self {
            config,
            matrices: matrices.restore(module, from)?,
            rest: rest.restore(module, from)?,
        }))
    }
}

/// Takes the gradients of Muon's matrices out of `gradients`.
struct Parts<'a> {
    config: &'a MuonConfig,
    gradients: GradientsParams,
    matrices: GradientsParams,
}

impl<B: AutodiffBackend> ParamVisitor<B> for Parts<'_> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, _tensor: Tensor<B, D>) {
        if self.config.takes(&name, D)
            && let Some(grad) = self.gradients.remove::<B::InnerBackend, D>(id)
        {
            self.matrices.register(id, grad);
        }
    }
}

/// Coefficients of the quintic Newton–Schulz iteration (Jordan et al.).
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// Muon for weights of linear layers, `[inputs, outputs]`.
#[derive(Clone, Debug)]
struct Muon {
    momentum: f64,
    steps: usize,
    adjust: Adjust,
}

impl Muon {
    fn new(config: &MuonConfig) -> Self {
        Self { momentum: config.momentum, steps: config.ns_steps, adjust: config.adjust }
    }

    /// What the learning rate is multiplied with, for the shape of a matrix.
    fn scale(&self, inputs: usize, outputs: usize) -> f64 {
        let (inputs, outputs) = (inputs as f64, outputs as f64);
        match self.adjust {
            Adjust::Original => (outputs / inputs).max(1.0).sqrt(),
            Adjust::MatchRmsAdamW => 0.2 * outputs.max(inputs).sqrt(),
        }
    }

    /// Nearly the orthogonal factor of `g`: `x ← a·x + (b·xxᵀ + c·(xxᵀ)²)·x` from `g/‖g‖`, on the side of the shorter rows.
    fn orthogonal<B: Backend, const D: usize>(&self, g: Tensor<B, D>) -> Tensor<B, D> {
        let tall = g.dims()[0] > g.dims()[1];
        let g = if tall { g.swap_dims(0, 1) } else { g };
        let squares = sum_of_squares(vec![g.clone().into_primitive().tensor()]).expect("of one tensor");
        let norm = squares.sqrt().clamp_min(1e-7);
        let mut x = g / norm.reshape([1; D]);
        let [a, b, c] = QUINTIC;
        for _ in 0..self.steps {
            let gram = x.clone().matmul(x.clone().swap_dims(0, 1));
            let factor = gram.clone() * b + gram.clone().matmul(gram) * c;
            x = x.clone() * a + factor.matmul(x);
        }
        if tall { x.swap_dims(0, 1) } else { x }
    }
}

/// The running mean of a matrix's gradients.
#[derive(Record, Clone)]
struct Velocity<B: Backend, const D: usize> {
    velocity: Tensor<B, D>,
}

impl<B: Backend> SimpleOptimizer<B> for Muon {
    type State<const D: usize> = Velocity<B, D>;

    /// `m ← μ·m + (1 − μ)·g`, then a step along the orthogonal factor of `(1 − μ)·g + μ·m` (Nesterov's form).
    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<B, D>,
        grad: Tensor<B, D>,
        state: Option<Velocity<B, D>>,
    ) -> (Tensor<B, D>, Option<Velocity<B, D>>) {
        assert_eq!(D, 2, "Muon is for matrices");
        let mean = grad * (1.0 - self.momentum);
        let velocity = match state {
            Some(state) => state.velocity * self.momentum + mean.clone(),
            None => mean.clone(),
        };
        let update = self.orthogonal(mean + velocity.clone() * self.momentum);
        let rate = lr * self.scale(tensor.dims()[0], tensor.dims()[1]);
        (tensor - update * rate, Some(Velocity { velocity }))
    }

    fn to_device<const D: usize>(state: Velocity<B, D>, device: &B::Device) -> Velocity<B, D> {
        Velocity { velocity: state.velocity.to_device(device) }
    }
}

impl<B: Backend> Stored<B> for Muon {
    fn store<const D: usize>(state: Velocity<B, D>, name: &str, to: &mut Named) {
        to.insert(format!("velocity.{name}"), state.velocity.into_data());
    }

    fn restore<const D: usize>(
        like: &Tensor<B, D>,
        slots: &mut Slots,
    ) -> Result<Option<Velocity<B, D>>, StateError> {
        Ok(slots.tensor("velocity", like)?.map(|velocity| Velocity { velocity }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        backend::Flex,
        optim::{AdjustLrFn, MuonConfig as BurnsMuon},
        tensor::TensorData,
    };

    const LR: f64 = 0.05;

    fn muon(adjust: Adjust) -> Muon {
        Muon { momentum: 0.95, steps: 5, adjust }
    }

    /// A matrix with `of(row, column)`.
    fn matrix(shape: [usize; 2], of: impl Fn(f64, f64) -> f64) -> Tensor<Flex, 2> {
        let [rows, columns] = shape;
        let numbers = (0..rows * columns).map(|i| of((i / columns) as f64, (i % columns) as f64) as f32);
        Tensor::from_data(TensorData::new(numbers.collect(), shape), &Default::default())
    }

    /// The start and four gradients of a matrix `[out, in]`.
    fn problem(shape: [usize; 2]) -> (Tensor<Flex, 2>, Vec<Tensor<Flex, 2>>) {
        let inputs = shape[1] as f64;
        let grad = |k: f64| matrix(shape, |a, b| (0.7 * k + 1.3 * (a * inputs + b) + 0.4 * a).sin());
        (matrix(shape, |a, b| (3.0 * a + b).cos()), (0..4).map(|k| grad(f64::from(k))).collect())
    }

    fn run<O: SimpleOptimizer<Flex>>(
        optim: &O,
        start: Tensor<Flex, 2>,
        grads: Vec<Tensor<Flex, 2>>,
    ) -> Tensor<Flex, 2> {
        let step = |(tensor, state), grad| optim.step(LR, tensor, grad, state);
        grads.into_iter().fold((start, None), step).0
    }

    fn close(a: &Tensor<Flex, 2>, expected: &[f64], tolerance: f64) {
        for (value, expected) in a.to_data().iter::<f64>().zip(expected) {
            assert!((value - expected).abs() < tolerance, "{value} is not {expected}");
        }
    }

    /// The algorithm in f64 (NumPy), on matrices `[out, in]`; `torch.optim.Muon` (PyTorch 2.15), which iterates in bfloat16,
    /// agrees with these numbers to 1.5e-3.
    #[test]
    fn both_shapes_agree_with_the_reference() {
        let known = [
            (
                [2, 3],
                Adjust::Original,
                [0.913752987, 0.383548207, -0.419614681, -0.876640368, -0.669514057, 0.168898744],
            ),
            (
                [2, 3],
                Adjust::MatchRmsAdamW,
                [0.957149074, 0.478991165, -0.411949009, -0.937881921, -0.650660874, 0.240226706],
            ),
            (
                [3, 2],
                Adjust::Original,
                [0.843334739, 0.499212572, -0.93045272, -0.560561101, 0.998947683, 0.610689996],
            ),
            (
                [3, 2],
                Adjust::MatchRmsAdamW,
                [0.941452442, 0.520988668, -0.95905864, -0.618010683, 0.957469273, 0.702663211],
            ),
        ];
        for (shape, adjust, expected) in known {
            let (start, grads) = problem(shape);
            // As `Linear` stores it.
            let (start, grads) =
                (start.transpose(), grads.into_iter().map(Tensor::transpose).collect::<Vec<_>>());
            // The reference decays by 0.1 as well: `p ← p·(1 − lr·λ)` before each update.
            let mut state = (start, None);
            for grad in grads {
                state = muon(adjust).step(LR, state.0 * (1.0 - LR * 0.1), grad, state.1);
            }
            close(&state.0.transpose(), &expected, 1e-5);
        }
    }

    /// Burn's Muon takes matrices as `[out, in]`.
    #[test]
    fn the_other_layout_is_burns() {
        for shape in [[2, 3], [3, 2], [7, 4], [5, 5]] {
            for (adjust, burns) in
                [(Adjust::Original, AdjustLrFn::Original), (Adjust::MatchRmsAdamW, AdjustLrFn::MatchRmsAdamW)]
            {
                let (start, grads) = problem(shape);
                let burns = BurnsMuon::new().with_adjust_lr_fn(burns).build::<Flex>();
                let expected = run(&burns, start.clone(), grads.clone());
                let grads = grads.into_iter().map(Tensor::transpose).collect();
                let ours = run(&muon(adjust), start.transpose(), grads);
                close(&ours.transpose(), &expected.into_data().iter::<f64>().collect::<Vec<_>>(), 1e-5);
            }
        }
    }

    #[test]
    fn an_update_is_nearly_orthogonal() {
        let (_, grads) = problem([6, 4]);
        let x = muon(Adjust::Original).orthogonal(grads[0].clone() + matrix([6, 4], |a, b| (a * b).cos()));
        let gram = x.clone().transpose().matmul(x);
        for (i, value) in gram.into_data().iter::<f64>().enumerate() {
            // The quintic leaves singular values between about 0.7 and 1.2.
            let expected = if i % 5 == 0 { 0.4..1.5 } else { -0.5..0.5 };
            assert!(expected.contains(&value), "{value} at {i}");
        }
    }
}
