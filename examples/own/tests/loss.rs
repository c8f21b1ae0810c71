//! A loss of one's own, tested: in f64, on a network small enough to be read.

#[path = "../src/log_cosh.rs"]
mod log_cosh;

use burn::{
    backend::{Autodiff, Flex},
    module::{AutodiffModule, Module, Param},
    tensor::{DType, Tensor, TensorData, backend::Backend, set_default_dtypes},
};
use log_cosh::LogCoshConfig;
use meanflow::{
    core::{
        Backbone, Condition, Streams,
        objective::{At, Batch, Derivative, Draws, Nets, Objective},
        time::{Pairing, Split, TimeLaw, TimeSampler},
    },
    jvp::Jvp,
};

type Train = Jvp<Autodiff<Flex>>;

/// `u = tanh(w·z + t − r/2)`, element by element.
#[derive(Module, Debug)]
struct Toy<B: Backend> {
    w: Param<Tensor<B, 4>>,
}

impl<B: Backend> Backbone<B> for Toy<B> {
    fn forward(&self, z: Tensor<B, 4>, r: Tensor<B, 1>, t: Tensor<B, 1>, _: &Condition<B>) -> Tensor<B, 4> {
        let rows = z.dims()[0];
        (z * self.w.val() + (t - r * 0.5).reshape([rows, 1, 1, 1])).tanh()
    }

    fn classes(&self) -> Option<usize> {
        None
    }
}

const SHAPE: [usize; 4] = [4, 2, 1, 1];

fn tensor<B: Backend>(values: Vec<f64>, shape: [usize; 4]) -> Tensor<B, 4> {
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// The loss for this weight, with its gradient.
fn loss(settings: &LogCoshConfig, w: f64, draws: &Draws) -> (f64, f64) {
    let net = Toy::<Train> { w: Param::from_tensor(tensor(vec![w], [1, 1, 1, 1])) };
    let frozen = net.valid();
    let nets = Nets { online: &net, frozen: &frozen, teachers: &[] };
    let x = tensor(vec![0.3, -0.7, 1.1, 0.2, -0.4, 0.9, 0.5, -1.3], SHAPE);
    let batch = Batch { x, labels: None, augment: None, precision: Default::default() };
    let out = settings.loss::<Train, _, _>(&nets, batch, draws);
    let number = |tensor: Tensor<Flex, 1>| tensor.into_data().convert::<f64>().into_vec::<f64>().unwrap()[0];
    let grads = out.loss.clone().backward();
    (number(out.loss.inner()), number(net.w.grad(&grads).expect("the weight matters").reshape([1])))
}

/// The target is a constant: its difference quotient would be of another function. At rows with `r = t` there is no derivative in it.
#[test]
fn the_gradient_is_that_of_central_differences() {
    set_default_dtypes::<Flex>(&Default::default(), DType::F64, DType::I64).expect("no tensor yet");
    let law = TimeLaw::Uniform;
    let times = TimeSampler { t: law, r: law, pairing: Pairing::V1, share: 0.0, split: Split::Prefix };
    let settings = LogCoshConfig { times, scale: 0.8, label_dropout: 0.0, derivative: Derivative::Jvp };
    let streams = Streams::new(5);
    let draws = settings.draw(&At::new(&streams, 0, 10), SHAPE);
    let (_, slope) = loss(&settings, 0.6, &draws);
    let step = 1e-6;
    let quotient =
        (loss(&settings, 0.6 + step, &draws).0 - loss(&settings, 0.6 - step, &draws).0) / (2.0 * step);
    assert!((slope / quotient - 1.0).abs() < 1e-7, "{slope} and {quotient}");

    // With r < t: two ways to the derivative of the target agree.
    let moved = |derivative| LogCoshConfig {
        times: TimeSampler { share: 1.0, ..settings.times },
        derivative,
        ..settings.clone()
    };
    let exact = moved(Derivative::Jvp);
    let draws = exact.draw(&At::new(&streams, 0, 10), SHAPE);
    let (a, b) = (loss(&exact, 0.6, &draws), loss(&moved(Derivative::Central { step: 1e-5 }), 0.6, &draws));
    assert!((a.0 / b.0 - 1.0).abs() < 1e-8 && (a.1 / b.1 - 1.0).abs() < 1e-8, "{a:?} and {b:?}");
}
