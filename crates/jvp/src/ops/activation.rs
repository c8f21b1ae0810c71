//! Activations.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{ActivationOps, FloatTensor, FloatTensorOps};
use burn::tensor::{Scalar, get_device_settings};

use super::table::{from_input, from_output};
use crate::backend::Jvp;
use crate::derivative;
use crate::mode::Mode;
use crate::rules::{self, refuse};
use crate::tensor::{JvpTensor, T};

#[deny(clippy::missing_trait_methods)]
impl<A: Backend, M: Mode<A>> ActivationOps<Self> for Jvp<A, M> {
    from_input! {
        gelu => gelu;
        log_sigmoid => log_sigmoid;
    }

    from_output! {
        relu => relu;
        sigmoid => sigmoid;
    }

    fn leaky_relu(x: FloatTensor<Self>, negative_slope: Scalar) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::leaky_relu(x, negative_slope),
            |x, dx| derivative::leaky_relu::<T<A, M>>(x, dx, negative_slope),
        )
    }

    /// `z = x` where `x ≥ 0`, `α·x` below.
    fn prelu(x: FloatTensor<Self>, alpha: FloatTensor<Self>) -> FloatTensor<Self> {
        let below = |x: FloatTensor<T<A, M>>| {
            let dtype = get_device_settings::<A>(&T::<A, M>::float_device(&x)).bool_dtype;
            T::<A, M>::float_lower_elem(x, 0.0f64.into(), dtype)
        };
        rules::from_inputs(
            x,
            alpha,
            A::prelu,
            |x, alpha, dx| {
                let scaled = T::<A, M>::float_mul(dx.clone(), alpha);
                T::<A, M>::float_mask_where(dx, below(x), scaled)
            },
            |x, _, dalpha| {
                let negative = T::<A, M>::float_clamp_max(x, 0.0f64.into());
                T::<A, M>::float_mul(negative, dalpha)
            },
        )
    }

    /// `y = clamp(α·x + β, 0, 1)`: `dy = α·dx` where the clamp does not bind.
    fn hard_sigmoid(x: FloatTensor<Self>, alpha: Scalar, beta: Scalar) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::hard_sigmoid(x, alpha, beta),
            |x, dx| {
                let line = T::<A, M>::float_add_scalar(T::<A, M>::float_mul_scalar(x, alpha), beta);
                let dx = T::<A, M>::float_mul_scalar(dx, alpha);
                derivative::clamp::<T<A, M>>(line, dx, 0.0f64.into(), 1.0f64.into())
            },
        )
    }

    fn softmax(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        rules::from_output(x, |x| A::softmax(x, dim), |y, dx| derivative::softmax::<T<A, M>>(y, dx, dim))
    }

    fn log_softmax(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        rules::from_output(
            x,
            |x| A::log_softmax(x, dim),
            |y, dx| derivative::log_softmax::<T<A, M>>(y, dx, dim),
        )
    }

    /// `softmax(−x)`.
    fn softmin(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        rules::from_output(
            x,
            |x| A::softmin(x, dim),
            |y, dx| {
                let dx = T::<A, M>::float_neg(dx);
                derivative::softmax::<T<A, M>>(y, dx, dim)
            },
        )
    }

    // The backward passes, for reverse mode over forward mode.

    /// Linear in the gradient, piecewise constant in the output.
    fn relu_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let output = JvpTensor::<A, M>::constant(output.primal);
        rules::bilinear(output, grad, A::relu_backward, T::<A, M>::relu_backward)
    }

    /// Linear in the gradient; no rule for the input.
    fn gelu_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let x = JvpTensor::<A, M>::constant(refuse("gelu_backward", x));
        rules::bilinear(x, grad, A::gelu_backward, T::<A, M>::gelu_backward)
    }

    /// `g·y·(1 − y)`: `dy` gives `g·(1 − 2y)·dy`.
    fn sigmoid_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_inputs(
            output,
            grad,
            A::sigmoid_backward,
            |y, grad, dy| {
                let slope = T::<A, M>::float_add_scalar(
                    T::<A, M>::float_mul_scalar(y, (-2.0f64).into()),
                    1.0f64.into(),
                );
                T::<A, M>::float_mul(T::<A, M>::float_mul(grad, slope), dy)
            },
            |y, _, dgrad| T::<A, M>::sigmoid_backward(y, dgrad),
        )
    }

    /// `g·σ(−x)`: `dx` gives `−g·σ(x)·σ(−x)·dx`.
    fn log_sigmoid_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_inputs(
            x,
            grad,
            A::log_sigmoid_backward,
            |x, grad, dx| {
                let y = T::<A, M>::sigmoid(x);
                let slope = T::<A, M>::sigmoid_backward(y, grad);
                T::<A, M>::float_neg(T::<A, M>::float_mul(slope, dx))
            },
            |x, _, dgrad| T::<A, M>::log_sigmoid_backward(x, dgrad),
        )
    }
}
