//! Layers and operations, one by one.

use crate::common::{Case, check, filled, with_numbers};
use burn::{
    nn::{
        BatchNormConfig, EmbeddingConfig, GroupNormConfig, LayerNormConfig, LinearConfig, PaddingConfig2d,
        attention::{MhaInput, MultiHeadAttentionConfig},
        conv::{Conv1dConfig, Conv2dConfig, ConvTranspose2dConfig},
        interpolate::{Interpolate2dConfig, InterpolateMode},
        pool::{AdaptiveAvgPool2dConfig, AvgPool2dConfig, MaxPool2dConfig},
    },
    tensor::{Int, Tensor, activation, backend::Backend},
};

macro_rules! cases {
    ($($test:ident: $shape:expr, $in:literal => $out:literal, |$x:ident, $device:ident| $body:expr;)+) => {$(
        #[test]
        fn $test() {
            struct Test;
            impl Case<$in, $out> for Test {
                const SHAPE: [usize; $in] = $shape;

                fn run<B: Backend>($x: Tensor<B, $in>, $device: &B::Device) -> Tensor<B, $out> {
                    $body
                }
            }
            check::<Test, $in, $out>();
        }
    )+};
}

cases! {
    linear_of_two_axes: [0, 5], 2 => 2, |x, device|
        with_numbers(LinearConfig::new(5, 3).init::<B>(device), device).forward(x);
    linear_of_three_axes: [0, 4, 5], 3 => 3, |x, device|
        with_numbers(LinearConfig::new(5, 3).with_bias(true).init::<B>(device), device).forward(x);
    linear_without_bias: [0, 5], 2 => 2, |x, device|
        with_numbers(LinearConfig::new(5, 3).with_bias(false).init::<B>(device), device).forward(x);
    conv_1d: [0, 4, 9], 3 => 3, |x, device|
        with_numbers(Conv1dConfig::new(4, 6, 3).with_stride(2).with_dilation(2).init::<B>(device), device).forward(x);
    conv_2d_in_groups: [0, 4, 6, 7], 4 => 4, |x, device| {
        let config = Conv2dConfig::new([4, 6], [3, 3]).with_groups(2).with_stride([2, 1]);
        with_numbers(config.with_padding(PaddingConfig2d::Explicit(1, 2, 1, 2)).init::<B>(device), device).forward(x)
    };
    conv_transpose_2d: [0, 4, 3, 4], 4 => 4, |x, device| {
        let config = ConvTranspose2dConfig::new([4, 6], [3, 3]).with_groups(2).with_stride([2, 2]);
        with_numbers(config.with_padding([1, 1]).with_padding_out([1, 0]).init::<B>(device), device).forward(x)
    };
    pools: [0, 2, 8, 8], 4 => 4, |x, _device| {
        let x = MaxPool2dConfig::new([3, 3]).with_strides([1, 1]).init().forward(x);
        AvgPool2dConfig::new([2, 2]).with_strides([1, 1]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init().forward(x)
    };
    adaptive_pool: [0, 2, 8, 6], 4 => 4, |x, _device| AdaptiveAvgPool2dConfig::new([2, 3]).init().forward(x);
    nearest: [0, 2, 3, 4], 4 => 4, |x, _device|
        Interpolate2dConfig::new().with_output_size(Some([6, 8])).with_mode(InterpolateMode::Nearest).init().forward(x);
    bilinear: [0, 2, 3, 4], 4 => 4, |x, _device| {
        let to = |align| Interpolate2dConfig::new().with_output_size(Some([5, 9])).with_align_corners(align).with_mode(InterpolateMode::Linear).init();
        to(true).forward(x.clone()) + to(false).forward(x)
    };
    batch_norm: [0, 3, 4, 4], 4 => 4, |x, device|
        with_numbers(BatchNormConfig::new(3).init::<B>(device), device).forward(x);
    group_norm: [0, 6, 4, 4], 4 => 4, |x, device|
        with_numbers(GroupNormConfig::new(3, 6).init::<B>(device), device).forward(x);
    layer_norm: [0, 4, 6], 3 => 3, |x, device|
        with_numbers(LayerNormConfig::new(6).init::<B>(device), device).forward(x);
    attention: [0, 5, 8], 3 => 3, |x, device| {
        let config = MultiHeadAttentionConfig::new(8, 2).with_dropout(0.0);
        with_numbers(config.init::<B>(device), device).forward(MhaInput::self_attn(x)).context
    };
    activations: [0, 6], 2 => 2, |x, _device| {
        let smooth = activation::gelu(x.clone()) + activation::silu(x.clone()) + activation::softplus(x.clone(), 1.0);
        smooth + activation::relu(x.clone()) + activation::leaky_relu(x.clone(), 0.1) + activation::log_softmax(x, 1)
    };
    functions: [0, 6], 2 => 2, |x, _device| {
        let above = x.clone() * x.clone() + 1.5;
        let roots = above.clone().sqrt() + above.clone().log() + above.clone().log1p() + above.powf_scalar(0.3);
        roots + x.clone().sin() + x.clone().cos() + x.clone().tanh() + x.clone().powi_scalar(3) + x.exp().recip()
    };
    both_arguments_of_an_angle: [0, 6], 2 => 2, |x, device| {
        let x = x * 2.0 + 0.01;
        x.clone().atan2(filled([1, 6], 3, device)) + x.clone().atan2(-x)
    };
    choices: [0, 6], 2 => 2, |x, _device| {
        let masked = x.clone().mask_fill(x.clone().greater_elem(0.4), -2.0);
        let chosen = x.clone().mask_where(x.clone().lower(masked.clone() + 0.1), masked.clone() * 3.0);
        chosen + x.clone().clamp(-0.5, 0.5) + masked.abs() + x.clone().equal(x).float()
    };
    reductions: [0, 3, 4], 3 => 3, |x, _device| {
        let some = x.clone().mean_dim(2) + x.clone().sum_dim(1) + x.clone().max_dim(2) - x.clone().min_dim(1);
        let (mean, sum): (Tensor<B, 1>, Tensor<B, 1>) = (x.clone().mean(), x.clone().max());
        some + x.prod_dim(2) + (mean + sum).reshape([1, 1, 1])
    };
    moves: [0, 4, 6], 3 => 3, |x, _device| {
        let batch = x.dims()[0];
        let turned = x.clone().permute([1, 0, 2]).swap_dims(0, 1).flip([2]);
        let tail = x.clone().slice([0..batch, 1..3, 2..6]).repeat_dim(1, 2);
        Tensor::cat(vec![turned + x, tail], 2)
    };
    steps: [0, 9], 2 => 2, |x, _device| x.slice(burn::tensor::s![.., 1..8;3]);
    assigned: [0, 6], 2 => 2, |x, _device| {
        let batch = x.dims()[0];
        let part = x.clone().narrow(1, 0, 2) * 2.0;
        x.slice_assign([0..batch, 3..5], part)
    };
    tables: [0, 3], 2 => 3, |x, device| {
        let places: Tensor<B, 2, Int> = (x.abs() * 3.9).int();
        with_numbers(EmbeddingConfig::new(4, 5).init::<B>(device), device).forward(places)
    };
    rows_by_the_batch: [0, 3], 2 => 2, |x, device| {
        // What a pass makes itself in the shape of its batch, and doubles.
        let batch = x.dims()[0];
        let (times, ones) = (Tensor::<B, 1>::full([batch], 0.3, device), Tensor::<B, 2>::ones([batch, 3], device));
        let twice = Tensor::cat(vec![x.clone(), x * times.unsqueeze_dim(1) + ones * 2.0], 0);
        let shared = filled::<B, 2>([1, 3], 5, device).expand([2 * batch, 3]);
        let second = Tensor::<B, 1, Int>::full([batch], 1, device);
        let rows = filled::<B, 2>([2, 3], 6, device).select(0, second);
        (twice + shared).narrow(0, batch, batch) + rows
    };
}
