//! Reverse mode through the decorator: gradients, optimizer steps, records and `valid()` are the plain backend's, to the bit.

use burn::backend::{Autodiff, Flex};
use burn::module::{AutodiffModule, Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams, Optimizer};
use burn::record::{BinBytesRecorder, DoublePrecisionSettings, Recorder};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, activation};
use meanflow_jvp::Dual;

use crate::common::{B, Device, device, input};
use crate::networks::filled;

type Tape = Autodiff<Flex>;

#[derive(Module, Debug)]
struct Net<B: Backend> {
    conv: Conv2d<B>,
    norm: GroupNorm<B>,
    encoder: TransformerEncoder<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    fn new(device: &B::Device) -> Self {
        filled(Self {
            conv: Conv2dConfig::new([2, 8], [2, 2]).with_stride([2, 2]).init(device),
            norm: GroupNormConfig::new(2, 8).init(device),
            encoder: TransformerEncoderConfig::new(8, 12, 2, 1).with_dropout(0.0).init(device),
            head: LinearConfig::new(8, 3).init(device),
        })
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 3> {
        let x = activation::gelu(self.norm.forward(self.conv.forward(x)));
        let tokens = x.flatten::<3>(2, 3).swap_dims(1, 2);
        self.head.forward(self.encoder.forward(TransformerEncoderInput::new(tokens)))
    }
}

/// The weights and the last gradients of a few optimizer steps; `prepare` may attach tangents to the input.
fn trained<B: AutodiffBackend<Device = Device>>(
    prepare: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>,
) -> (Net<B>, Vec<Vec<u64>>) {
    let mut net = Net::<B>::new(&device());
    let mut optimizer = AdamWConfig::new().init();
    let mut last = Vec::new();
    for step in 0..3 {
        let x = prepare(input([2, 2, 4, 6], step));
        let loss = net.forward(x).powi_scalar(2).mean();
        let gradients = loss.backward();
        last = gradient_bits(&net, &gradients);
        let gradients = GradientsParams::from_grads(gradients, &net);
        net = optimizer.step(1e-2, net, gradients);
    }
    (net, last)
}

fn gradient_bits<B: AutodiffBackend>(net: &Net<B>, gradients: &B::Gradients) -> Vec<Vec<u64>> {
    struct Bits<'a, B: AutodiffBackend>(&'a B::Gradients, Vec<Vec<u64>>);
    impl<B: AutodiffBackend> ModuleVisitor<B> for Bits<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.1.push(bits(param.grad(self.0).expect("a gradient for every parameter")));
        }
    }
    let mut visitor = Bits(gradients, Vec::new());
    net.visit(&mut visitor);
    visitor.1
}

fn weight_bits<B: Backend>(net: &Net<B>) -> Vec<Vec<u64>> {
    struct Bits(Vec<Vec<u64>>);
    impl<B: Backend> ModuleVisitor<B> for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.0.push(bits(param.val()));
        }
    }
    let mut visitor = Bits(Vec::new());
    net.visit(&mut visitor);
    visitor.0
}

fn bits<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<u64> {
    tensor.into_data().iter::<f64>().map(f64::to_bits).collect()
}

#[test]
fn training_equals_the_plain_backend_to_the_bit() {
    let (plain, plain_gradients) = trained::<Tape>(|x| x);
    let (without, without_gradients) = trained::<B>(|x| x);
    let (with, with_gradients) = trained::<B>(|x| x.clone().with_tangent(x.value().ones_like()));
    assert!(plain_gradients == without_gradients, "gradients without tangents");
    assert!(plain_gradients == with_gradients, "gradients with tangents");
    assert!(weight_bits(&plain) == weight_bits(&without), "weights without tangents");
    assert!(weight_bits(&plain) == weight_bits(&with), "weights with tangents");
}

#[test]
fn valid_is_the_plain_backend() {
    let plain: Net<Flex> = Net::<Tape>::new(&device()).valid();
    let valid: Net<Flex> = Net::<B>::new(&device()).valid();
    let x = input::<Flex, 4>([2, 2, 4, 6], 1);
    assert_eq!(bits(plain.forward(x.clone())), bits(valid.forward(x)));
}

#[test]
fn records_move_between_the_backends() {
    fn loaded<B: AutodiffBackend<Device = Device>>(bytes: &[u8]) -> (Vec<Vec<u64>>, Vec<u8>) {
        let recorder = BinBytesRecorder::<DoublePrecisionSettings>::default();
        let record = recorder.load(bytes.to_vec(), &device()).unwrap();
        let net = Net::<B>::new(&device()).load_record(record);
        (weight_bits(&net), recorder.record(net.into_record(), ()).unwrap())
    }
    let recorder = BinBytesRecorder::<DoublePrecisionSettings>::default();
    let (net, _) = trained::<B>(|x| x);
    let bytes = recorder.record(net.into_record(), ()).unwrap();
    let (plain, jvp) = (loaded::<Tape>(&bytes), loaded::<B>(&bytes));
    assert!(plain == jvp, "the same weights and the same record again");
}

#[test]
fn tangents_take_no_part_in_gradients() {
    let x = input::<B, 2>([3, 4], 1).require_grad();
    let gradient = |x: &Tensor<B, 2>, y: Tensor<B, 2>| bits(x.grad(&y.sum().backward()).unwrap());
    let plain = gradient(&x, x.clone().sin() * x.clone());
    let dual = x.clone().with_tangent(input([3, 4], 2));
    assert_eq!(plain, gradient(&x, dual.clone().sin() * dual));
}

#[test]
fn the_tape_is_seen_through_the_decorator() {
    let device = device();
    assert!(<B as Backend>::ad_enabled(&device));
    assert!(!<crate::common::Plain as Backend>::ad_enabled(&device));
    let x = input::<B, 1>([3], 1);
    assert!(!x.is_require_grad());
    let x = x.with_tangent(input([3], 2)).require_grad();
    assert!(x.is_require_grad());
    assert!(x.tangent().is_some(), "requiring a gradient keeps the tangent");
    let detached = (x * 2.0).detach();
    assert!(!detached.is_require_grad() && detached.tangent().is_none());
}
