//! A small class-conditional network made of a flat list of numbers.

use burn::{
    module::{Module, Param},
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{Backbone, Condition};

use crate::common::{B, Device, tensor, uniform, values};

pub const SAMPLE: [usize; 3] = [2, 1, 2];
pub const CLASSES: usize = 3;
const ELEMENTS: usize = SAMPLE[0] * SAMPLE[1] * SAMPLE[2];
const WIDTH: usize = 5;
const INPUT: [usize; 2] = [ELEMENTS + 2, WIDTH];
const EMBEDDING: [usize; 2] = [CLASSES + 1, WIDTH];
const HIDDEN: [usize; 2] = [WIDTH, WIDTH];
const OUTPUT: [usize; 2] = [WIDTH, ELEMENTS];

/// `u = W₃·tanh(W₂·tanh(W₁·[z, r, t] + E[label]) + b)`.
#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    input: Param<Tensor<B, 2>>,
    embedding: Param<Tensor<B, 2>>,
    hidden: Param<Tensor<B, 2>>,
    bias: Param<Tensor<B, 1>>,
    output: Param<Tensor<B, 2>>,
}

/// Parameters of a network of ordinary size: every one of them matters.
pub fn parameters(seed: u64) -> Vec<f64> {
    let count = [INPUT, EMBEDDING, HIDDEN, OUTPUT].iter().map(|[a, b]| a * b).sum::<usize>() + WIDTH;
    uniform(count, seed)
}

impl<B: Backend<Device = Device>> Net<B> {
    pub fn new(parameters: &[f64]) -> Self {
        let mut rest = parameters;
        let mut next = |count: usize| {
            let (first, last) = rest.split_at(count);
            rest = last;
            first
        };
        let mut matrix =
            |shape: [usize; 2]| Param::from_tensor(tensor::<B, 2>(next(shape[0] * shape[1]), shape));
        let (input, embedding, hidden) = (matrix(INPUT), matrix(EMBEDDING), matrix(HIDDEN));
        let output = matrix(OUTPUT);
        let bias = Param::from_tensor(tensor(next(WIDTH), [WIDTH]));
        assert!(rest.is_empty(), "{} parameters too many", rest.len());
        Self { input, embedding, hidden, bias, output }
    }
}

impl Net<B> {
    /// The gradient of a loss, in the order of the list that made the network.
    pub fn gradient(&self, loss: Tensor<B, 1>) -> Vec<f64> {
        let gradients = loss.backward();
        let of = |parameter: &Param<Tensor<B, 2>>| {
            values(parameter.grad(&gradients).unwrap_or_else(|| parameter.val().inner().zeros_like()))
        };
        let bias = self.bias.grad(&gradients).expect("a gradient of the bias");
        [of(&self.input), of(&self.embedding), of(&self.hidden), of(&self.output), values(bias)].concat()
    }
}

impl<B: Backend> Backbone<B> for Net<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let shape = z.dims();
        let labels = condition.labels.clone().expect("labels");
        let times = [r, t].map(|time| time.reshape([shape[0], 1]));
        let features = Tensor::cat([vec![z.reshape([shape[0], ELEMENTS])], times.to_vec()].concat(), 1);
        let x = (features.matmul(self.input.val()) + self.embedding.val().select(0, labels)).tanh();
        let x = (x.matmul(self.hidden.val()) + self.bias.val().unsqueeze()).tanh();
        x.matmul(self.output.val()).reshape(shape)
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }
}
