//! Activations.

use burn::tensor::Scalar;
use burn::tensor::backend::Backend;
use burn::tensor::ops::{ActivationOps, FloatTensor};

use super::table::{from_input, from_inputs, from_output};
use crate::backend::Jvp;
use crate::derivative::{axis, elementwise, pair};
use crate::mode::Mode;
use crate::rules::{self, refuse};
use crate::tensor::{JvpTensor, T};

#[deny(clippy::missing_trait_methods)]
impl<A: Backend, M: Mode<A>> ActivationOps<Self> for Jvp<A, M> {
    from_input! {
        gelu() => elementwise::gelu;
        log_sigmoid() => elementwise::log_sigmoid;
        leaky_relu(negative_slope: Scalar) => elementwise::leaky_relu;
        hard_sigmoid(alpha: Scalar, beta: Scalar) => elementwise::hard_sigmoid;
    }

    from_output! {
        relu() => elementwise::relu;
        sigmoid() => elementwise::sigmoid;
        softmax(dim: usize) => axis::softmax;
        log_softmax(dim: usize) => axis::log_softmax;
        softmin(dim: usize) => axis::softmin;
    }

    from_inputs! {
        prelu => pair::prelu_x, prelu_alpha;
        // The backward passes, for reverse mode over forward mode.
        sigmoid_backward => pair::sigmoid_gradient_y, sigmoid_gradient_grad;
        log_sigmoid_backward => pair::log_sigmoid_gradient_x, log_sigmoid_gradient_grad;
    }

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
}
