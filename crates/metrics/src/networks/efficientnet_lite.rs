//! EfficientNet-Lite0.
//!
//! M. Tan, Q. V. Le, "EfficientNet", ICML 2019, in the Lite variant of the TensorFlow TPU models: ReLU6 for swish, no
//! squeeze-and-excitation. Weights: the ImageNet classifier, under the names of the PyTorch port.

use burn::tensor::{Tensor, backend::Backend, ops::PadMode};

use super::{
    Weights,
    layer::{Conv, Linear, Shape},
};
use crate::InputError;

const EPS: f64 = 1e-3;
const FEATURES: usize = 1280;
const CLASSES: usize = 1000;

/// Repeats, kernel, stride of the first, expansion, channels in, channels out.
const STAGES: [[usize; 6]; 7] = [
    [1, 3, 1, 1, 32, 16],
    [2, 3, 2, 6, 16, 24],
    [2, 5, 2, 6, 24, 40],
    [3, 3, 2, 6, 40, 80],
    [3, 5, 1, 6, 80, 112],
    [4, 5, 2, 6, 112, 192],
    [1, 3, 1, 6, 192, 320],
];

/// The network, for inference.
#[derive(Debug)]
pub struct EfficientNetLite0<B: Backend> {
    stem: Padded<B>,
    blocks: Vec<Block<B>>,
    head: Conv<B>,
    fc: Linear<B>,
}

/// A convolution with TensorFlow's "SAME" padding: as much as ⌈size/stride⌉ outputs need, the odd pixel right and below.
#[derive(Debug)]
struct Padded<B: Backend> {
    conv: Conv<B>,
    kernel: usize,
    stride: usize,
}

/// An inverted bottleneck: wider, along the plane, narrower again without activation.
#[derive(Debug)]
struct Block<B: Backend> {
    expand: Option<Conv<B>>,
    depthwise: Padded<B>,
    project: Conv<B>,
    skip: bool,
}

impl<B: Backend> EfficientNetLite0<B> {
    /// Height and width of its input.
    pub const SIDE: usize = 224;

    /// sha256 of the published file `efficientnet-lite0-57934424.pth`.
    pub const SHA256: &'static str = super::fetch::SHA256;

    /// The network with these weights.
    ///
    /// # Errors
    /// Weights that are missing, of another shape or not finite.
    pub fn new(weights: &Weights, device: &B::Device) -> Result<Self, InputError> {
        let point = |conv: &str, norm: &str, from: usize, to: usize| {
            let shape = Shape { weight: [to, from, 1, 1], stride: 1, padding: [0, 0], groups: 1 };
            Conv::load(weights, conv, norm, shape, EPS, device)
        };
        let padded = |conv: &str, norm: &str, weight: [usize; 4], stride, groups| -> Result<_, InputError> {
            // At stride 1 both sides get the same, which the convolution does itself.
            let padding = if stride == 1 { [weight[2] / 2; 2] } else { [0, 0] };
            let shape = Shape { weight, stride, padding, groups };
            Ok(Padded {
                conv: Conv::load(weights, conv, norm, shape, EPS, device)?,
                kernel: weight[2],
                stride,
            })
        };
        let mut blocks = Vec::new();
        for [repeats, kernel, first, expansion, from, to] in STAGES {
            for repeat in 0..repeats {
                let name = format!("_blocks.{}", blocks.len());
                let (from, stride) = if repeat == 0 { (from, first) } else { (to, 1) };
                let wide = from * expansion;
                let expand = match expansion {
                    1 => None,
                    _ => Some(point(&format!("{name}._expand_conv"), &format!("{name}._bn0"), from, wide)?),
                };
                blocks.push(Block {
                    expand,
                    depthwise: padded(
                        &format!("{name}._depthwise_conv"),
                        &format!("{name}._bn1"),
                        [wide, 1, kernel, kernel],
                        stride,
                        wide,
                    )?,
                    project: point(&format!("{name}._project_conv"), &format!("{name}._bn2"), wide, to)?,
                    skip: stride == 1 && from == to,
                });
            }
        }
        Ok(Self {
            stem: padded("_conv_stem", "_bn0", [32, 3, 3, 3], 2, 1)?,
            blocks,
            head: point("_conv_head", "_bn1", 320, FEATURES)?,
            fc: Linear::load(weights, "_fc", [CLASSES, FEATURES], device)?,
        })
    }

    /// Features `[n, 1280]`, and logits without the bias, `[n, 1000]`.
    ///
    /// # Shapes
    /// `x`: `[n, 3, 224, 224]`, bytes as `(x − 127)/128`.
    pub fn forward(&self, x: Tensor<B, 4>) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let x = relu6(self.stem.forward(x));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let pooled = relu6(self.head.forward(x)).mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        let logits = self.fc.product(pooled.clone());
        (pooled, logits)
    }

    /// What the logits of [`forward`](Self::forward) lack.
    pub fn bias(&self) -> Tensor<B, 2> {
        self.fc.bias()
    }
}

impl<B: Backend> Block<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let wide = match &self.expand {
            Some(expand) => relu6(expand.forward(x.clone())),
            None => x.clone(),
        };
        let y = self.project.forward(relu6(self.depthwise.forward(wide)));
        if self.skip { x + y } else { y }
    }
}

impl<B: Backend> Padded<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        if self.stride == 1 {
            return self.conv.forward(x);
        }
        let [_, _, height, width] = x.dims();
        let pad = |size: usize| {
            let all = ((size.div_ceil(self.stride) - 1) * self.stride + self.kernel).saturating_sub(size);
            (all / 2, all - all / 2)
        };
        self.conv.forward(x.pad([pad(height), pad(width)], PadMode::Constant(0.0)))
    }
}

fn relu6<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    x.clamp(0.0, 6.0)
}
