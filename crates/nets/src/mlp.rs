//! A multilayer perceptron for small samples, such as points in the plane.

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, TensorData, activation::silu, backend::Backend},
};
use meanflow_core::precision::typed_as;
use meanflow_core::{Backbone, Clock, Condition};
use meanflow_settings::{Reader, Within};

use crate::{
    embed::{LabelEmbedder, NARROW, label_parameters},
    error::{NetError, positive},
    init::{Init, Law},
    network::{Activations, Network},
    norm::layer_norm,
    start::{check_clocks, widened},
};

/// Sizes of an [`Mlp`].
#[derive(Clone, Debug, PartialEq)]
pub struct MlpConfig {
    /// Features of a hidden layer.
    pub width: usize,
    /// Number of hidden layers.
    pub depth: usize,
    /// Octaves of the time features: beside the times themselves, `cos(π·2ᵏ·t)` and `sin(π·2ᵏ·t)` for `k < octaves`.
    ///
    /// None is best in the plane: features that oscillate in time make `du/dt`, and so MeanFlow's target, oscillate.
    pub octaves: usize,
    /// Which numbers of its two times it is told; `t,h` is published.
    pub clock: Clock,
}

impl MlpConfig {
    /// Features of all times.
    fn time_features(&self) -> usize {
        self.clock.count() * (1 + 2 * self.octaves)
    }
}

/// `u(z, r, t | class)`: the flattened sample and the times that its clock tells through `depth` hidden layers.
///
/// The first hidden layer is `x = silu(W·input + b)`, the others are `x += silu(W·LN(x) + b)`; without the normalisation the
/// same sizes learn a flow in the plane markedly worse. A fresh network outputs exactly zero, like a fresh
/// [`Dit`](crate::Dit).
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    input: Linear<B>,
    y_embedder: Option<LabelEmbedder<B>>,
    hidden: Vec<Linear<B>>,
    output: Linear<B>,
    /// `π·2ᵏ`, `[1, octaves]`; not a parameter.
    frequencies: Option<Tensor<B, 2>>,
    #[module(skip)]
    clock: Clock,
}

impl Network for MlpConfig {
    const NAME: &'static str = "mlp";
    const ABOUT: &'static str = "multilayer perceptron, for points in the plane";

    type Module<B: Backend> = Mlp<B>;

    fn read(r: &mut Reader) -> Self {
        Self {
            width: r.need("width", Within::SIZE),
            depth: r.need("depth", Within::SIZE),
            octaves: r.get("octaves", Within(0, 64), 0),
            clock: Clock::read(r),
        }
    }

    fn constraints(&self, _shape: [usize; 3]) -> Vec<NetError> {
        positive(&[(self.width, "width"), (self.depth, "depth")])
    }

    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        let linear = |inputs: usize, outputs: usize| (inputs + 1) * outputs;
        let (sample, w) = (shape.iter().product::<usize>(), self.width);
        linear(sample + self.time_features(), w)
            + label_parameters(classes, w)
            + (self.depth - 1) * linear(w, w)
            + linear(w, sample)
    }

    fn flops(&self, shape: [usize; 3]) -> f64 {
        let [sample, features, w, hidden] =
            [shape.iter().product(), self.time_features(), self.width, self.depth - 1]
                .map(|size| size as f64);
        2.0 * ((sample + features) * w + hidden * w * w + w * sample)
    }

    fn activations(&self, _shape: [usize; 3]) -> Activations {
        Activations { floats: 3.0 * (self.width * self.depth) as f64, blocks: self.depth }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Mlp<B> {
        Mlp::new(self, shape, classes, init)
    }

    fn start_from<B: Backend>(&self, from: &Self, flow: Mlp<B>, fresh: Mlp<B>) -> Result<Mlp<B>, NetError> {
        check_clocks(from.clock, self.clock, Self { clock: self.clock, ..from.clone() } == *self)?;
        let gap = (from.clock == Clock::TimeAndGap).then(|| {
            let zero = Tensor::zeros([1], &flow.input.weight.device());
            flow.time_features(zero)
        });
        let known = flow.input.weight.dims()[0] - (from.clock.count() - 1) * (1 + 2 * from.octaves);
        Ok(Mlp { input: widened(fresh.input, &flow.input, known, gap), clock: self.clock, ..flow })
    }
}

impl<B: Backend> Mlp<B> {
    /// Makes the network; the configuration has been checked.
    pub(crate) fn new(config: &MlpConfig, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Self {
        let (sample, w, octaves) = (shape.iter().product::<usize>(), config.width, config.octaves);
        let frequencies = (octaves > 0).then(|| {
            let octave = |k: usize| std::f64::consts::PI * f64::powi(2.0, k as i32);
            let frequencies: Vec<f64> = (0..octaves).map(octave).collect();
            Tensor::from_data(TensorData::new(frequencies, [1, octaves]), init.device())
        });
        let inputs = sample + config.time_features();
        Self {
            input: init.at("input").linear(inputs, w, Law::Xavier),
            y_embedder: classes.map(|classes| LabelEmbedder::new(&init.at("y_embedder"), classes, w, NARROW)),
            hidden: (0..config.depth - 1)
                .map(|i| init.at(&format!("hidden.{i}")).linear(w, w, Law::Xavier))
                .collect(),
            output: init.at("output").linear(w, sample, Law::Zeros),
            frequencies,
            clock: config.clock,
        }
    }

    /// `[batch] -> [batch, 1 + 2·octaves]`.
    fn time_features(&self, t: Tensor<B, 1>) -> Tensor<B, 2> {
        let t = t.unsqueeze_dim::<2>(1);
        let Some(frequencies) = &self.frequencies else {
            return t;
        };
        let angles = t.clone() * frequencies.clone();
        Tensor::cat(vec![t, angles.clone().cos(), angles.sin()], 1)
    }
}

impl<B: Backend> Backbone<B> for Mlp<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let shape = z.dims();
        let times = self.clock.numbers(r, t);
        let times = times.into_iter().map(|time| typed_as(self.time_features(time), &z)).collect();
        let features = Tensor::cat([vec![z.flatten::<2>(1, 3)], times].concat(), 1);
        let x = self.input.forward(features);
        let x = match &self.y_embedder {
            Some(embedder) => {
                let labels = condition.labels.clone();
                x + embedder.forward(labels.expect("a class-conditional MLP needs labels"))
            }
            None => x,
        };
        let mut x = silu(x);
        for layer in &self.hidden {
            x = x.clone() + silu(layer.forward(layer_norm(x)));
        }
        self.output.forward(x).reshape(shape)
    }

    fn classes(&self) -> Option<usize> {
        self.y_embedder.as_ref().map(LabelEmbedder::classes)
    }
}
