//! Operations of neural modules: the table of rules.

use burn::tensor::backend::Backend;
use burn::tensor::ops::attention::attention_fallback;
use burn::tensor::ops::ctc::ctc_loss_default;
use burn::tensor::ops::{
    AttentionModuleOptions, BoolTensor, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, FloatTensor, IntTensor, InterpolateOptions, MaxPool1dBackward, MaxPool1dWithIndices,
    MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps, UnfoldOptions,
};

use super::table::{bilinear, linear};
use super::{deform_conv, layer_norm};
use crate::backend::Jvp;
use crate::derivative::axis;
use crate::derivative::selection::pooled;
use crate::mode::Mode;
use crate::rules::{self, refuse};
use crate::tensor::{JvpTensor, T};

/// `y = op(x, weight, …) + bias`, bilinear in `x` and `weight`.
macro_rules! affine {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $name(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: Option<FloatTensor<Self>>,
            $($arg: $ty),*
        ) -> FloatTensor<Self> {
            rules::affine(
                x,
                weight,
                bias,
                |x, weight, bias| A::$name(x, weight, bias, $($arg.clone()),*),
                |x, weight, bias| T::<A, M>::$name(x, weight, bias, $($arg.clone()),*),
            )
        }
    )*};
}

/// `y = op(like, g, …)` linear in `g`; only the shape of `like` matters.
macro_rules! linear_like {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $name(
            like: FloatTensor<Self>,
            grad: FloatTensor<Self>,
            $($arg: $ty),*
        ) -> FloatTensor<Self> {
            let like = JvpTensor::<A, M>::constant(like.primal);
            rules::bilinear(
                like,
                grad,
                |like, grad| A::$name(like, grad, $($arg.clone()),*),
                |like, grad| T::<A, M>::$name(like, grad, $($arg.clone()),*),
            )
        }
    )*};
}

/// `y = op(like, a, b, …)` bilinear in `a` and `b`; only the shape of `like` matters.
macro_rules! bilinear_like {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $name(
            like: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            grad: FloatTensor<Self>,
            $($arg: $ty),*
        ) -> FloatTensor<Self> {
            let shape = like.value();
            rules::bilinear(
                weight,
                grad,
                |weight, grad| A::$name(like.primal, weight, grad, $($arg.clone()),*),
                |weight, grad| {
                    T::<A, M>::$name(shape.clone(), weight, grad, $($arg.clone()),*)
                },
            )
        }
    )*};
}

/// Gradients of a convolution's weight: bilinear in `x` and `grad`; only the shape of `weight` matters.
macro_rules! weight_gradient {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $name(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            grad: FloatTensor<Self>,
            $($arg: $ty),*
        ) -> FloatTensor<Self> {
            let shape = weight.value();
            rules::bilinear(
                x,
                grad,
                |x, grad| A::$name(x, weight.primal, grad, $($arg.clone()),*),
                |x, grad| T::<A, M>::$name(x, shape.clone(), grad, $($arg.clone()),*),
            )
        }
    )*};
}

/// Gradients of a convolution's bias: linear in `grad`; only the shapes of the others matter.
macro_rules! bias_gradient {
    ($($name:ident;)*) => {$(
        fn $name(
            x: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            grad: FloatTensor<Self>,
        ) -> FloatTensor<Self> {
            let (x_shape, bias_shape) = (x.value(), bias.value());
            rules::linear(
                grad,
                |grad| A::$name(x.primal, bias.primal, grad),
                |grad| T::<A, M>::$name(x_shape, bias_shape, grad),
            )
        }
    )*};
}

#[deny(clippy::missing_trait_methods)]
#[allow(clippy::clone_on_copy)] // The tables clone every argument, whatever its type.
impl<A: Backend, M: Mode<A>> ModuleOps<Self> for Jvp<A, M> {
    affine! {
        linear();
        conv1d(options: ConvOptions<1>);
        conv2d(options: ConvOptions<2>);
        conv3d(options: ConvOptions<3>);
        conv_transpose1d(options: ConvTransposeOptions<1>);
        conv_transpose2d(options: ConvTransposeOptions<2>);
        conv_transpose3d(options: ConvTransposeOptions<3>);
    }

    linear! {
        embedding(indices: IntTensor<Self>);
        unfold4d(kernel_size: [usize; 2], options: UnfoldOptions);
        avg_pool1d(kernel_size: usize, stride: usize, padding: usize, count_include_pad: bool, ceil_mode: bool);
        avg_pool2d(kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 2], count_include_pad: bool, ceil_mode: bool);
        adaptive_avg_pool1d(output_size: usize);
        adaptive_avg_pool2d(output_size: [usize; 2]);
        interpolate(output_size: [usize; 2], options: InterpolateOptions);
        linear_bias_backward();
    }

    bilinear! {
        linear_x_backward();
        linear_weight_backward();
        conv_transpose1d_x_backward(options: ConvTransposeOptions<1>);
        conv_transpose2d_x_backward(options: ConvTransposeOptions<2>);
        conv_transpose3d_x_backward(options: ConvTransposeOptions<3>);
    }

    linear_like! {
        embedding_backward(indices: IntTensor<Self>);
        avg_pool1d_backward(kernel_size: usize, stride: usize, padding: usize, count_include_pad: bool, ceil_mode: bool);
        avg_pool2d_backward(kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 2], count_include_pad: bool, ceil_mode: bool);
        adaptive_avg_pool1d_backward();
        adaptive_avg_pool2d_backward();
        interpolate_backward(output_size: [usize; 2], options: InterpolateOptions);
    }

    bilinear_like! {
        conv1d_x_backward(options: ConvOptions<1>);
        conv2d_x_backward(options: ConvOptions<2>);
        conv3d_x_backward(options: ConvOptions<3>);
    }

    weight_gradient! {
        conv1d_weight_backward(options: ConvOptions<1>);
        conv2d_weight_backward(options: ConvOptions<2>);
        conv3d_weight_backward(options: ConvOptions<3>);
        conv_transpose1d_weight_backward(options: ConvTransposeOptions<1>);
        conv_transpose2d_weight_backward(options: ConvTransposeOptions<2>);
        conv_transpose3d_weight_backward(options: ConvTransposeOptions<3>);
    }

    bias_gradient! {
        conv1d_bias_backward;
        conv2d_bias_backward;
        conv3d_bias_backward;
        conv_transpose1d_bias_backward;
        conv_transpose2d_bias_backward;
        conv_transpose3d_bias_backward;
    }

    fn deform_conv2d(
        x: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mask: Option<FloatTensor<Self>>,
        bias: Option<FloatTensor<Self>>,
        options: DeformConvOptions<2>,
    ) -> FloatTensor<Self> {
        deform_conv::rule(x, offset, weight, mask, bias, options)
    }

    fn deform_conv2d_backward(
        x: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mask: Option<FloatTensor<Self>>,
        bias: Option<FloatTensor<Self>>,
        output_grad: FloatTensor<Self>,
        options: DeformConvOptions<2>,
    ) -> DeformConv2dBackward<Self> {
        let plain = |tensor| refuse("deform_conv2d_backward", tensor);
        let grads = A::deform_conv2d_backward(
            plain(x),
            plain(offset),
            plain(weight),
            mask.map(plain),
            bias.map(plain),
            plain(output_grad),
            options,
        );
        DeformConv2dBackward {
            x_grad: JvpTensor::constant(grads.x_grad),
            offset_grad: JvpTensor::constant(grads.offset_grad),
            weight_grad: JvpTensor::constant(grads.weight_grad),
            mask_grad: grads.mask_grad.map(JvpTensor::constant),
            bias_grad: grads.bias_grad.map(JvpTensor::constant),
        }
    }

    fn max_pool1d(
        x: FloatTensor<Self>,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
    ) -> FloatTensor<Self> {
        rules::piecewise(
            x,
            |x| A::max_pool1d(x, kernel_size, stride, padding, dilation, ceil_mode),
            |x| {
                let taken = A::max_pool1d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode);
                (taken.output, taken.indices)
            },
            pooled::<T<A, M>>,
        )
    }

    fn max_pool1d_with_indices(
        x: FloatTensor<Self>,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
    ) -> MaxPool1dWithIndices<Self> {
        let taken = A::max_pool1d_with_indices(x.primal, kernel_size, stride, padding, dilation, ceil_mode);
        let tangent = x.tangent.map(|dx| pooled::<T<A, M>>(dx, taken.indices.clone()));
        MaxPool1dWithIndices { output: JvpTensor { primal: taken.output, tangent }, indices: taken.indices }
    }

    fn max_pool1d_with_indices_backward(
        x: FloatTensor<Self>,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
        output_grad: FloatTensor<Self>,
        indices: IntTensor<Self>,
    ) -> MaxPool1dBackward<Self> {
        let shape = x.value();
        let x_grad = rules::linear(
            output_grad,
            |grad| {
                let indices = indices.clone();
                A::max_pool1d_with_indices_backward(
                    x.primal,
                    kernel_size,
                    stride,
                    padding,
                    dilation,
                    ceil_mode,
                    grad,
                    indices,
                )
                .x_grad
            },
            |grad| {
                T::<A, M>::max_pool1d_with_indices_backward(
                    shape,
                    kernel_size,
                    stride,
                    padding,
                    dilation,
                    ceil_mode,
                    grad,
                    indices.clone(),
                )
                .x_grad
            },
        );
        MaxPool1dBackward { x_grad }
    }

    fn max_pool2d(
        x: FloatTensor<Self>,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
    ) -> FloatTensor<Self> {
        rules::piecewise(
            x,
            |x| A::max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode),
            |x| {
                let taken = A::max_pool2d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode);
                (taken.output, taken.indices)
            },
            pooled::<T<A, M>>,
        )
    }

    fn max_pool2d_with_indices(
        x: FloatTensor<Self>,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
    ) -> MaxPool2dWithIndices<Self> {
        let taken = A::max_pool2d_with_indices(x.primal, kernel_size, stride, padding, dilation, ceil_mode);
        let tangent = x.tangent.map(|dx| pooled::<T<A, M>>(dx, taken.indices.clone()));
        MaxPool2dWithIndices { output: JvpTensor { primal: taken.output, tangent }, indices: taken.indices }
    }

    fn max_pool2d_with_indices_backward(
        x: FloatTensor<Self>,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
        output_grad: FloatTensor<Self>,
        indices: IntTensor<Self>,
    ) -> MaxPool2dBackward<Self> {
        let shape = x.value();
        let x_grad = rules::linear(
            output_grad,
            |grad| {
                let indices = indices.clone();
                A::max_pool2d_with_indices_backward(
                    x.primal,
                    kernel_size,
                    stride,
                    padding,
                    dilation,
                    ceil_mode,
                    grad,
                    indices,
                )
                .x_grad
            },
            |grad| {
                T::<A, M>::max_pool2d_with_indices_backward(
                    shape,
                    kernel_size,
                    stride,
                    padding,
                    dilation,
                    ceil_mode,
                    grad,
                    indices.clone(),
                )
                .x_grad
            },
        );
        MaxPool2dBackward { x_grad }
    }

    /// With tangents, Burn's own composition of differentiable operations.
    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        mask: Option<BoolTensor<Self>>,
        attn_bias: Option<FloatTensor<Self>>,
        options: AttentionModuleOptions,
    ) -> FloatTensor<Self> {
        let has_tangent = [Some(&query), Some(&key), Some(&value), attn_bias.as_ref()]
            .into_iter()
            .flatten()
            .any(|x| x.tangent.is_some());
        if has_tangent {
            return attention_fallback::<Self>(query, key, value, mask, attn_bias, options);
        }
        let bias = attn_bias.map(|bias| bias.primal);
        JvpTensor::constant(A::attention(query.primal, key.primal, value.primal, mask, bias, options))
    }

    fn layer_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: Option<FloatTensor<Self>>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        layer_norm::rule(x, gamma, beta, epsilon)
    }

    /// The losses of a batch are independent, so their gradients give the derivative of each. Without a backward pass
    /// of the backend's own, Burn's composition of differentiable operations.
    fn ctc_loss(
        log_probs: FloatTensor<Self>,
        targets: IntTensor<Self>,
        input_lengths: IntTensor<Self>,
        target_lengths: IntTensor<Self>,
        blank: usize,
    ) -> FloatTensor<Self> {
        if log_probs.tangent.is_some() && !T::<A, M>::has_ctc_loss_backward() {
            return ctc_loss_default::<Self>(log_probs, targets, input_lengths, target_lengths, blank);
        }
        let lengths = (input_lengths.clone(), target_lengths.clone());
        let labels = targets.clone();
        rules::from_input(
            log_probs,
            |x| A::ctc_loss(x, targets, input_lengths, target_lengths, blank),
            |x, dx| axis::ctc_loss::<T<A, M>>(x, dx, labels, lengths.0, lengths.1, blank),
        )
    }

    fn has_ctc_loss_backward() -> bool {
        A::has_ctc_loss_backward()
    }

    fn ctc_loss_backward(
        log_probs: FloatTensor<Self>,
        targets: IntTensor<Self>,
        input_lengths: IntTensor<Self>,
        target_lengths: IntTensor<Self>,
        grad_loss: FloatTensor<Self>,
        blank: usize,
    ) -> FloatTensor<Self> {
        JvpTensor::constant(A::ctc_loss_backward(
            refuse("ctc_loss_backward", log_probs),
            targets,
            input_lengths,
            target_lengths,
            refuse("ctc_loss_backward", grad_loss),
            blank,
        ))
    }

    fn rfft(
        signal: FloatTensor<Self>,
        dim: usize,
        n: Option<usize>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (re, im) = A::rfft(signal.primal, dim, n);
        match signal.tangent {
            None => (JvpTensor::constant(re), JvpTensor::constant(im)),
            Some(tangent) => {
                let (dre, d_im) = T::<A, M>::rfft(tangent, dim, n);
                (JvpTensor::dual(re, dre), JvpTensor::dual(im, d_im))
            }
        }
    }

    fn irfft(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        dim: usize,
        n: Option<usize>,
    ) -> FloatTensor<Self> {
        rules::linear_pair(
            spectrum_re,
            spectrum_im,
            |re, im| A::irfft(re, im, dim, n),
            |re, im| T::<A, M>::irfft(re, im, dim, n),
        )
    }
}
