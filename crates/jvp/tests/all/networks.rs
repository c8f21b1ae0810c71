//! Modules of `burn::nn`, unchanged: written for any backend, differentiated by running on this one.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::gru::GruConfig;
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    BatchNorm, BatchNormConfig, DropoutConfig, GroupNormConfig, InstanceNormConfig, LayerNormConfig,
    LinearConfig, LstmConfig, PaddingConfig2d, RmsNormConfig, SwiGluConfig,
};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData, activation};
use meanflow_jvp::Dual;
use meanflow_jvp::check::{Draws, check_vjp};

use crate::common::{B, device, input, rule};

type T3 = Tensor<B, 3>;
type T4 = Tensor<B, 4>;

/// The module with every parameter drawn from a sequence of its own, without the backend's global generator.
pub fn filled<B: Backend, N: Module<B>>(module: N) -> N {
    struct Fill(Draws);
    impl<B: Backend> ModuleMapper<B> for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(|x| {
                let numbers: Vec<f64> =
                    self.0.take(x.shape().num_elements()).iter().map(|u| 0.3 + 0.5 * u).collect();
                Tensor::from_data(TensorData::new(numbers, x.shape()), (&x.device(), x.dtype()))
                    .set_require_grad(x.is_require_grad())
            })
        }
    }
    module.map(&mut Fill(Draws::new(11)))
}

#[test]
fn linear() {
    let layer = filled(LinearConfig::new(4, 5).init::<B>(&device()));
    rule("Linear", input([2, 3, 4], 1), &|x: T3| layer.forward(x));
}

#[test]
fn transformer_encoder() {
    for norm_first in [false, true] {
        let config = TransformerEncoderConfig::new(8, 12, 2, 2).with_dropout(0.0).with_norm_first(norm_first);
        let encoder = filled(config.init::<B>(&device()));
        rule("TransformerEncoder", input([2, 3, 8], 1), &|x: T3| {
            encoder.forward(TransformerEncoderInput::new(x))
        });
    }
}

#[test]
fn multi_head_attention() {
    let attention = filled(MultiHeadAttentionConfig::new(8, 2).with_dropout(0.0).init::<B>(&device()));
    rule("self attention", input([2, 3, 8], 1), &|x: T3| attention.forward(MhaInput::self_attn(x)).context);
    let queries = input::<B, 3>([2, 4, 8], 2);
    rule("cross attention", input([2, 3, 8], 3), &|x: T3| {
        attention.forward(MhaInput::new(queries.clone(), x.clone(), x)).context
    });
}

#[test]
fn recurrent_networks() {
    let lstm = filled(LstmConfig::new(3, 4, true).init::<B>(&device()));
    rule("Lstm", input([2, 5, 3], 1), &|x: T3| lstm.forward(x, None).0);
    rule("Lstm, last cell", input([2, 5, 3], 2), &|x: T3| lstm.forward(x, None).1.cell);
    let gru = filled(GruConfig::new(3, 4, true).init::<B>(&device()));
    rule("Gru", input([2, 5, 3], 3), &|x: T3| gru.forward(x, None));
}

#[test]
fn convolutions() {
    let conv = filled(Conv1dConfig::new(3, 4, 3).init::<B>(&device()));
    rule("Conv1d", input([2, 3, 6], 1), &|x: T3| conv.forward(x));
    let same = Conv2dConfig::new([2, 4], [3, 3]).with_padding(PaddingConfig2d::Same);
    let conv = filled(same.init::<B>(&device()));
    let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
    let average = AvgPool2dConfig::new([2, 2]).with_strides([1, 1]).init();
    rule("Conv2d and pools", input([2, 2, 6, 5], 2), &|x: T4| {
        average.forward(pool.forward(activation::silu(conv.forward(x))))
    });
    let conv = filled(ConvTranspose2dConfig::new([2, 3], [3, 3]).with_stride([2, 2]).init::<B>(&device()));
    rule("ConvTranspose2d", input([2, 2, 3, 4], 3), &|x: T4| conv.forward(x));
}

/// A module of a user's own.
#[derive(Module, Debug)]
struct ConvBlock<B: Backend> {
    conv: Conv2d<B>,
    norm: BatchNorm<B>,
}

impl<B: Backend> ConvBlock<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        activation::gelu(self.norm.forward(self.conv.forward(x)))
    }
}

/// In training batch norm divides by the statistics of the batch, which depend on the input.
#[test]
fn convolution_with_batch_norm() {
    let device = device();
    let block = ConvBlock::<B> {
        conv: Conv2dConfig::new([2, 3], [3, 3]).init(&device),
        norm: BatchNormConfig::new(3).init(&device),
    };
    let block = filled(block);
    rule("Conv2d and BatchNorm", input([3, 2, 5, 4], 1), &|x: T4| block.forward(x));
    block.forward(input([3, 2, 5, 4], 2).with_tangent(input([3, 2, 5, 4], 3)));
    assert!(block.norm.running_mean.value().tangent().is_none(), "the running mean keeps no tangent");
}

/// Sizes that Burn divides by without rounding in f32.
#[test]
fn norms() {
    let device = device();
    let layer = filled(LayerNormConfig::new(5).init::<B>(&device));
    rule("LayerNorm", input([2, 3, 5], 1), &|x: T3| layer.forward(x));
    let group = filled(GroupNormConfig::new(2, 4).init::<B>(&device));
    rule("GroupNorm", input([2, 4, 4, 2], 2), &|x: T4| group.forward(x));
    let instance = filled(InstanceNormConfig::new(3).init::<B>(&device));
    rule("InstanceNorm", input([2, 3, 4, 2], 3), &|x: T4| instance.forward(x));
    let rms = filled(RmsNormConfig::new(5).init::<B>(&device));
    // Burn computes it in f32, which spoils differences.
    let error = check_vjp(|x: T3| rms.forward(x), &input([2, 3, 5], 4), 1);
    assert!(error < 1e-5, "RmsNorm: {error:e} against reverse mode");
    let glu = filled(SwiGluConfig::new(5, 4).init::<B>(&device));
    rule("SwiGlu", input([2, 3, 5], 5), &|x: T3| glu.forward(x));
}

/// The derivative along the parameters, with tangents on a module's own weights.
#[test]
fn along_the_parameters() {
    let layer = filled(LayerNormConfig::new(4).init::<B>(&device()));
    let x = input::<B, 3>([2, 3, 4], 1);
    rule("along gamma", input([4], 2), &|gamma: Tensor<B, 1>| {
        let mut layer = layer.clone();
        layer.gamma = Param::initialized(layer.gamma.id, gamma);
        layer.forward(x.clone())
    });
}

/// `ad_enabled` tells dropout that this is training; a dropped unit has no derivative.
#[test]
fn dropout() {
    let dropout = DropoutConfig::new(0.5).init();
    let x = Tensor::<B, 1>::ones([1000], &device()).with_tangent(Tensor::ones([1000], &device()));
    let (y, tangent) = dropout.forward(x).split_tangent();
    let (y, tangent) = (y.into_data(), tangent.unwrap().into_data());
    assert_eq!(y, tangent);
    let dropped = y.iter::<f64>().filter(|y| *y == 0.0).count();
    assert!((400..600).contains(&dropped), "{dropped} of 1000");
}
