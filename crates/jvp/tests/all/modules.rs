//! Operations of neural modules, each operand moved alone and all together.

use burn::backend::Flex;
use burn::tensor::module as op;
use burn::tensor::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions, GridSampleOptions,
    GridSamplePaddingMode, InterpolateMode, InterpolateOptions, UnfoldOptions,
};
use burn::tensor::{Tensor, TensorPrimitive, signal};

use meanflow_jvp::check::{check_jvp, check_vjp};
use meanflow_jvp::jvp;

use crate::common::{B, Plain, forward_rule, input, ints, rule, uniform, values};

type T1 = Tensor<B, 1>;
type T3 = Tensor<B, 3>;
type T4 = Tensor<B, 4>;
type T5 = Tensor<B, 5>;

/// Checks a function of an input, a weight and a bias: all moved, each alone, without a bias, and a strided input.
fn affine<const D: usize, const W: usize>(
    name: &str,
    shapes: ([usize; D], [usize; W], usize),
    f: &dyn Fn(Tensor<B, D>, Tensor<B, W>, Option<T1>) -> Tensor<B, D>,
) {
    let x = input::<B, D>(shapes.0, 1);
    let w = input::<B, W>(shapes.1, 2);
    let b = input::<B, 1>([shapes.2], 3);
    let all = |(x, w, b): (Tensor<B, D>, Tensor<B, W>, T1)| f(x, w, Some(b));
    rule(name, (x.clone(), w.clone(), b.clone()), &all);
    rule(&format!("{name} in x"), x.clone(), &|x| f(x, w.clone(), Some(b.clone())));
    rule(&format!("{name} in weight"), w.clone(), &|w| f(x.clone(), w, Some(b.clone())));
    rule(&format!("{name} in bias"), b.clone(), &|b| f(x.clone(), w.clone(), Some(b)));
    rule(&format!("{name} without bias"), (x.clone(), w.clone()), &|(x, w)| f(x, w, None));
    rule(&format!("{name}, strided"), x, &|x: Tensor<B, D>| f(x.flip([-1]), w.clone(), Some(b.clone())));
}

#[test]
fn linear() {
    affine("linear", ([2, 3, 4], [4, 5], 5), &|x: T3, w, b| op::linear(x, w, b));
    affine("linear of rank 2", ([3, 4], [4, 5], 5), &|x: Tensor<B, 2>, w, b| op::linear(x, w, b));
}

#[test]
fn convolutions() {
    affine("conv1d", ([2, 4, 7], [6, 2, 3], 6), &|x: T3, w: T3, b| {
        op::conv1d(x, w, b, ConvOptions::new([2], [1], [1], 2))
    });
    affine("conv2d", ([2, 4, 6, 5], [6, 2, 3, 2], 6), &|x: T4, w: T4, b| {
        op::conv2d(x, w, b, ConvOptions::new([2, 1], [1, 0], [1, 2], 2))
    });
    affine("conv3d", ([1, 2, 4, 3, 4], [3, 2, 2, 2, 3], 3), &|x: T5, w: T5, b| {
        op::conv3d(x, w, b, ConvOptions::new([1, 1, 2], [1, 0, 1], [1, 1, 1], 1))
    });
    affine("conv_transpose1d", ([2, 4, 5], [4, 3, 3], 6), &|x: T3, w: T3, b| {
        op::conv_transpose1d(x, w, b, ConvTransposeOptions::new([2], [1], [1], [1], 2))
    });
    affine("conv_transpose2d", ([2, 2, 3, 4], [2, 3, 3, 2], 3), &|x: T4, w: T4, b| {
        op::conv_transpose2d(x, w, b, ConvTransposeOptions::new([2, 1], [1, 0], [1, 0], [1, 1], 1))
    });
    affine("conv_transpose3d", ([1, 2, 2, 3, 2], [2, 2, 2, 2, 2], 2), &|x: T5, w: T5, b| {
        op::conv_transpose3d(x, w, b, ConvTransposeOptions::new([1; 3], [0; 3], [0; 3], [1; 3], 1))
    });
}

/// Flex has its backward pass, which the derivative along the offsets uses, in f32 only.
#[test]
fn deformable_convolution() {
    type Operands = (T4, T4, T4, T4);
    let f = |(x, offset, weight, mask): Operands, bias: T1| {
        let options = DeformConvOptions::new([1, 1], [1, 1], [1, 1], 1, 2);
        op::deform_conv2d(x, offset, weight, Some(mask), Some(bias), options)
    };
    let x = input::<B, 4>([2, 2, 4, 3], 1);
    // Offsets that keep the sampling points away from the grid, where the interpolation has kinks.
    let offset = uniform::<B, 4>([2, 2 * 2 * 4, 5, 4], 0.2, 0.8, 2);
    let weight = input::<B, 4>([3, 2, 2, 2], 3);
    let mask = uniform::<B, 4>([2, 2 * 4, 5, 4], 0.5, 1.5, 4);
    let bias = input::<B, 1>([3], 5);
    let near = |name: &str, error: f64, tolerance: f64| assert!(error < tolerance, "{name}: {error:e}");

    let all = |operands: Operands| f(operands, bias.clone());
    let at = (x.clone(), offset.clone(), weight.clone(), mask.clone());
    near("all", check_jvp(all, &at, 1), 1e-6);
    near("all, reverse", check_vjp(all, &at, 2), 1e-6);
    let in_offset = |offset: T4| all((x.clone(), offset, weight.clone(), mask.clone()));
    near("in offset", check_jvp(in_offset, &offset, 3), 1e-6);
    let others = |(x, weight, mask, bias): (T4, T4, T4, T1)| f((x, offset.clone(), weight, mask), bias);
    near("others", check_jvp(others, &(x.clone(), weight.clone(), mask.clone(), bias.clone()), 4), 1e-8);
    let in_bias = |bias: T1| f(at.clone(), bias);
    near("in bias", check_jvp(in_bias, &bias, 5), 1e-8);
}

#[test]
fn pools() {
    let line = || input::<B, 3>([2, 3, 7], 1);
    let plane = || input::<B, 4>([2, 3, 6, 5], 2);
    for ceil in [false, true] {
        for pad in [false, true] {
            // Flex's reverse mode ignores `ceil` and is wrong where a window hangs over the end.
            let exact = !(ceil && pad);
            type P3 = Tensor<Plain, 3>;
            type P4 = Tensor<Plain, 4>;
            forward_rule("avg_pool1d", input([2, 3, 7], 1), &|x: P3| op::avg_pool1d(x, 3, 2, 1, pad, ceil));
            forward_rule("avg_pool2d", input([2, 3, 6, 5], 2), &|x: P4| {
                op::avg_pool2d(x, [3, 2], [2, 1], [1, 0], pad, ceil)
            });
            if exact {
                rule("avg_pool1d", line(), &|x: T3| op::avg_pool1d(x, 3, 2, 1, pad, ceil));
                rule("avg_pool2d", plane(), &|x: T4| op::avg_pool2d(x, [3, 2], [2, 1], [1, 0], pad, ceil));
            }
        }
        rule("max_pool1d", line(), &|x: T3| op::max_pool1d(x, 3, 2, 1, 1, ceil));
        rule("max_pool2d", plane(), &|x: T4| op::max_pool2d(x, [3, 2], [2, 2], [1, 1], [1, 2], ceil));
        rule("max_pool2d, strided", plane(), &|x: T4| {
            op::max_pool2d(x.swap_dims(2, 3), [3, 2], [2, 2], [1, 1], [1, 2], ceil)
        });
        rule("max_pool1d_with_indices", line(), &|x: T3| op::max_pool1d_with_indices(x, 3, 2, 1, 1, ceil).0);
        rule("max_pool2d_with_indices", plane(), &|x: T4| {
            op::max_pool2d_with_indices(x, [2, 2], [2, 2], [0, 0], [1, 1], ceil).0
        });
    }
    rule("adaptive_avg_pool1d", line(), &|x: T3| op::adaptive_avg_pool1d(x, 3));
    rule("adaptive_avg_pool2d", plane(), &|x: T4| op::adaptive_avg_pool2d(x, [4, 2]));
}

#[test]
fn interpolation() {
    for mode in [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::Bicubic] {
        for align in [false, true] {
            let name = format!("interpolate {mode:?}");
            let options = || InterpolateOptions::new(mode.clone()).with_align_corners(align);
            let x = input::<Plain, 4>([2, 2, 4, 3], 1);
            forward_rule(&name, x, &|x: Tensor<Plain, 4>| op::interpolate(x, [6, 5], options()));
        }
    }
    let x = input::<B, 4>([2, 2, 4, 3], 1);
    rule("interpolate", x, &|x: T4| {
        op::interpolate(x, [8, 6], InterpolateOptions::new(InterpolateMode::Nearest))
    });
}

#[test]
fn grid_sampling() {
    let x = input::<B, 4>([2, 2, 5, 4], 1);
    let grid = uniform::<B, 4>([2, 3, 3, 2], -0.9, 0.9, 2);
    let paddings =
        [GridSamplePaddingMode::Zeros, GridSamplePaddingMode::Border, GridSamplePaddingMode::Reflection];
    for padding in paddings {
        for align in [false, true] {
            let options = || {
                GridSampleOptions::new(InterpolateMode::Bilinear)
                    .with_padding_mode(padding)
                    .with_align_corners(align)
            };
            let name = format!("grid_sample_2d {padding:?} {align}");
            let sample = |x: T4, grid: T4| x.grid_sample_2d(grid, options());
            rule(&name, x.clone(), &|x| sample(x, grid.clone()));
            rule(&name, grid.clone(), &|grid| sample(x.clone(), grid));
            rule(&name, (x.clone(), grid.clone()), &|(x, grid)| sample(x, grid));
        }
    }
}

#[test]
fn attention() {
    let shape = [2, 2, 3, 4];
    let operands = || [input::<B, 4>(shape, 1), input(shape, 2), input(shape, 3)];
    let bias = input::<B, 4>([2, 2, 3, 3], 4);
    for (causal, softcap, scale) in [(false, None, None), (true, Some(2.0), Some(0.7))] {
        let options = AttentionModuleOptions { scale, softcap, is_causal: causal };
        let f = |[q, k, v]: [T4; 3]| op::attention(q, k, v, None, Some(bias.clone()), options);
        rule("attention", operands(), &f);
        rule("attention in the query", input(shape, 1), &|q| {
            let [_, k, v] = operands();
            f([q, k, v])
        });
    }
    // A row may be masked as a whole: its output is zero, and so is its derivative.
    let masked = ints::<B, 4>([1, 1, 3, 3], &[0, 1, 0, 1, 1, 1, 0, 0, 1]).expand([2, 2, 3, 3]);
    rule("masked attention", operands(), &|[q, k, v]: [T4; 3]| {
        let mask = masked.clone().equal_elem(1);
        op::attention(q, k, v, Some(mask), None, AttentionModuleOptions::default())
    });
    rule("attention in the bias", bias, &|bias| {
        let [q, k, v] = operands();
        op::attention(q, k, v, None, Some(bias), AttentionModuleOptions::default())
    });
}

#[test]
fn embedding() {
    let indices = || ints::<B, 2>([2, 3], &[0, 3, 1, 3, 3, 2]);
    rule("embedding", input([4, 5], 1), &|w: Tensor<B, 2>| op::embedding(w, indices()));
}

#[test]
fn layer_norm() {
    fn norm<const D: usize>(x: Tensor<B, D>, gamma: T1, beta: Option<T1>) -> Tensor<B, D> {
        use burn::tensor::ops::ModuleOps;
        let unwrap = |x: T1| x.into_primitive().tensor();
        Tensor::from_primitive(TensorPrimitive::Float(B::layer_norm(
            x.into_primitive().tensor(),
            unwrap(gamma),
            beta.map(unwrap),
            1e-5,
        )))
    }
    let x = input::<B, 3>([2, 3, 4], 1);
    let (gamma, beta) = (input::<B, 1>([4], 2), input::<B, 1>([4], 3));
    rule("layer_norm", (x.clone(), gamma.clone(), beta.clone()), &|(x, gamma, beta): (T3, T1, T1)| {
        norm(x, gamma, Some(beta))
    });
    rule("layer_norm in x", x.clone(), &|x: T3| norm(x, gamma.clone(), None));
    rule("layer_norm in gamma", gamma.clone(), &|g| norm(x.clone(), g, Some(beta.clone())));
    rule("layer_norm in beta", beta, &|b| norm(x.clone(), gamma.clone(), Some(b)));
    rule("layer_norm of rank 2, transposed", input([4, 3], 4), &|x: Tensor<B, 2>| {
        norm(x.transpose(), gamma.clone(), None)
    });
}

#[test]
fn unfold4d() {
    for options in [UnfoldOptions::new([1, 1], [0, 0], [1, 1]), UnfoldOptions::new([2, 1], [1, 1], [1, 2])] {
        rule("unfold4d", input([2, 2, 5, 4], 1), &|x: T4| op::unfold4d(x, [2, 2], options.clone()));
    }
}

/// Burn has no reverse mode for Fourier transforms.
#[test]
fn fourier_transforms() {
    type T = Tensor<Plain, 2>;
    forward_rule("rfft, real", input([3, 8], 1), &|x: T| signal::rfft(x, 1, None).0);
    forward_rule("rfft, imaginary", input([3, 8], 1), &|x: T| signal::rfft(x, 1, None).1);
    // Flex has the inverse in f32 only, which spoils differences: linear, so its own derivative.
    let inverse = |(re, im): (T, T)| signal::irfft(re, im, 1, None);
    let spectrum = || (input::<Plain, 2>([3, 5], 2), input::<Plain, 2>([3, 5], 3));
    let direction = || (input::<Flex, 2>([3, 5], 4), input::<Flex, 2>([3, 5], 5));
    let (_, tangent) = jvp(inverse, spectrum(), direction());
    let (re, im) = direction();
    assert_eq!(values(tangent), values(signal::irfft(re, im.clone(), 1, None)));
    let (_, tangent) = jvp(|im| inverse((spectrum().0, im)), spectrum().1, im.clone());
    assert_eq!(values(tangent), values(signal::irfft(im.zeros_like(), im, 1, None)));
}

#[test]
fn ctc_loss() {
    let x = input::<B, 3>([6, 2, 4], 1);
    let loss = |x: T3| {
        let log_probs = burn::tensor::activation::log_softmax(x, 2);
        let targets = ints::<B, 2>([2, 3], &[1, 2, 2, 3, 1, 0]);
        let (times, lengths) = (ints::<B, 1>([2], &[6, 5]), ints::<B, 1>([2], &[3, 2]));
        op::ctc_loss(log_probs, targets, times, lengths, 0)
    };
    rule("ctc_loss", x, &loss);
}
