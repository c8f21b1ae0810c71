//! Derivatives of derivatives: tangents on the tape, nested forward mode, reverse over forward.

use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::module as op;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Tensor, activation, s};
use meanflow_jvp::check::check_vjp;
use meanflow_jvp::{Dual, Jvp, Taped, jvp};

use crate::common::{Device, Plain, device, forward_rule, input, ints, uniform, values};

type OnTape = Jvp<Autodiff<Flex>, Taped>;
type Reverse = Autodiff<Jvp<Flex>>;
type Twice = Jvp<Jvp<Flex>, Taped>;

/// A small network without kinks.
fn network<B: Backend<Device = Device>>(x: Tensor<B, 2>, w: Tensor<B, 2>) -> Tensor<B, 2> {
    let h = activation::gelu_approximate(x.clone().matmul(w.clone()));
    let h = activation::softmax(h.clone().matmul(w.transpose()).tanh() + x, 1) * h.mean_dim(1).exp();
    h.clone() / (h.powi_scalar(2).sum_dim(1) + 1.0).sqrt()
}

/// `∂/∂x ⟨c, J(x)·d⟩` by reverse mode over the Jacobian-vector product against its central differences.
#[test]
fn reverse_mode_goes_through_a_taped_tangent() {
    let (x, w) = (input::<OnTape, 2>([3, 4], 1).require_grad(), input::<OnTape, 2>([4, 5], 2));
    let (d, c) = (input::<Autodiff<Flex>, 2>([3, 4], 3), input::<Autodiff<Flex>, 2>([3, 4], 4));
    let (_, tangent) = jvp(|x| network(x, w), x.clone(), d.clone());
    let gradients = (tangent * c.clone()).sum().backward();
    let gradient = values(x.grad(&gradients).unwrap());

    let w = input::<Plain, 2>([4, 5], 2);
    let along = |x: Tensor<Flex, 2>| {
        let x = Tensor::<Plain, 2>::from_value(x);
        let (_, tangent) = jvp(|x| network(x, w.clone()), x, d.clone().inner());
        values((tangent * c.clone().inner()).sum())[0]
    };
    let step = 1e-5;
    for (i, gradient) in gradient.into_iter().enumerate() {
        let mut nudge = vec![0.0; 12];
        nudge[i] = step;
        let nudge = Tensor::<Flex, 1>::from_data(nudge.as_slice(), &device()).reshape([3, 4]);
        let x = x.clone().inner();
        let difference = (along(x.clone() + nudge.clone()) - along(x - nudge)) / (2.0 * step);
        assert!((gradient - difference).abs() < 1e-8, "{i}: {gradient} {difference}");
    }
}

/// The rules themselves, with tangents on the tape.
#[test]
fn taped_tangents_agree_with_reverse_mode() {
    let x = (input::<OnTape, 2>([3, 4], 1), input::<OnTape, 2>([4, 5], 2));
    let error = check_vjp(|(x, w): (Tensor<OnTape, 2>, Tensor<OnTape, 2>)| network(x, w), &x, 3);
    assert!(error < 1e-11, "{error:e}");
}

/// `d²/dx²` of functions of one number.
#[test]
fn nested_forward_mode_gives_second_derivatives() {
    let second = |f: &dyn Fn(Tensor<Twice, 1>) -> Tensor<Twice, 1>| {
        let x = uniform::<Plain, 1>([5], 0.5, 1.5, 1).with_tangent(Tensor::ones([5], &device()));
        let x = Tensor::<Twice, 1>::from_value(x);
        let one = Tensor::<Plain, 1>::ones([5], &device());
        let (_, tangent) = jvp(f, x, one);
        values(tangent.tangent().unwrap())
    };
    let x = values(uniform::<Flex, 1>([5], 0.5, 1.5, 1));
    let close = |name: &str, found: Vec<f64>, expected: &dyn Fn(f64) -> f64| {
        for (found, x) in found.into_iter().zip(&x) {
            let expected = expected(*x);
            assert!((found - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{name}: {found} {expected}");
        }
    };
    close("sin", second(&|x| x.sin()), &|x| -x.sin());
    close("exp", second(&|x| x.exp()), &|x| x.exp());
    close("log", second(&|x| x.log()), &|x| -1.0 / (x * x));
    close("sqrt", second(&|x| x.sqrt()), &|x| -0.25 * x.powf(-1.5));
    close("recip", second(&|x| x.recip()), &|x| 2.0 / x.powi(3));
    close("cube", second(&|x| x.powi_scalar(3)), &|x| 6.0 * x);
    close("tanh", second(&|x| x.tanh()), &|x| -2.0 * x.tanh() * (1.0 - x.tanh().powi(2)));
    close("product", second(&|x| x.clone() * x.clone() * x), &|x| 6.0 * x);
    close("quotient", second(&|x| x.clone().sin() / x), &|x| {
        -x.sin() / x - 2.0 * x.cos() / (x * x) + 2.0 * x.sin() / x.powi(3)
    });
    close("sigmoid", second(&activation::sigmoid), &|x| {
        let y = 1.0 / (1.0 + (-x).exp());
        y * (1.0 - y) * (1.0 - 2.0 * y)
    });
}

/// Hessian-vector products both ways: the tangent of a gradient and the gradient of a tangent.
#[test]
fn reverse_over_forward_and_forward_over_reverse_agree() {
    let energy = |y: Tensor<Reverse, 2>| y.powi_scalar(2).sum();
    let d = input::<Flex, 2>([3, 4], 3);
    let w = input::<Reverse, 2>([4, 5], 2);
    let x = Tensor::<Reverse, 2>::from_inner(input::<Plain, 2>([3, 4], 1).with_tangent(d.clone()));
    let x = x.require_grad();
    let gradient = x.grad(&energy(network(x.clone(), w)).backward()).unwrap();
    let forward_over_reverse = values(gradient.tangent().unwrap());

    let x = input::<OnTape, 2>([3, 4], 1).require_grad();
    let w = input::<OnTape, 2>([4, 5], 2);
    let energy = |x| network(x, w).powi_scalar(2).sum();
    let (_, slope) = jvp(energy, x.clone(), Tensor::from_inner(d));
    let reverse_over_forward = values(x.grad(&slope.backward()).unwrap());
    for (a, b) in forward_over_reverse.iter().zip(&reverse_over_forward) {
        assert!((a - b).abs() < 1e-11, "{a} {b}");
    }
}

/// The backward passes have rules too: the tangent of a gradient against its central differences.
#[test]
fn gradients_have_tangents() {
    type R<const D: usize> = Tensor<Reverse, D>;
    type Pair<const D: usize> = (Tensor<Plain, D>, Tensor<Plain, D>);

    /// The gradients of `Σ f(x, w)³` in both operands, flattened into one tensor.
    fn gradients<const D: usize, const K: usize>(
        (x, w): Pair<D>,
        f: impl Fn(R<D>, R<D>) -> R<K>,
    ) -> Tensor<Plain, 1> {
        let x = R::from_inner(x).require_grad();
        let w = R::from_inner(w).require_grad();
        let gradients = f(x.clone(), w.clone()).powi_scalar(3).sum().backward();
        let of = |x: &R<D>| x.grad(&gradients).map(|gradient| gradient.reshape([-1]));
        Tensor::cat([of(&x), of(&w)].into_iter().flatten().collect(), 0)
    }

    fn check<const D: usize, const K: usize>(
        name: &str,
        shapes: [[usize; D]; 2],
        f: impl Fn(R<D>, R<D>) -> R<K>,
    ) {
        let at = (input::<Plain, D>(shapes[0], 1), input::<Plain, D>(shapes[1], 2));
        forward_rule(name, at, &|at: Pair<D>| gradients(at, &f));
    }

    check("linear", [[3, 4], [4, 5]], |x, w: R<2>| {
        let bias = w.clone().slice(s![0..1, ..]).reshape([5]);
        op::linear(x, w, Some(bias))
    });
    check("conv1d", [[2, 2, 5], [4, 2, 2]], |x, w: R<3>| {
        let bias = w.clone().slice(s![.., 0..1, 0..1]).reshape([4]);
        op::conv1d(x, w, Some(bias), ConvOptions::new([2], [1], [1], 1))
    });
    check("conv2d", [[2, 2, 4, 3], [4, 1, 2, 2]], |x, w: R<4>| {
        let bias = w.clone().slice(s![.., .., 0..1, 0..1]).reshape([4]);
        op::conv2d(x, w, Some(bias), ConvOptions::new([1, 1], [1, 0], [1, 1], 2))
    });
    check("conv3d", [[1, 2, 3, 2, 3], [2, 2, 2, 2, 2]], |x, w| {
        op::conv3d(x, w, None, ConvOptions::new([1; 3], [0; 3], [1; 3], 1))
    });
    check("conv_transpose1d", [[2, 2, 4], [2, 3, 2]], |x, w| {
        op::conv_transpose1d(x, w, None, ConvTransposeOptions::new([2], [0], [0], [1], 1))
    });
    check("conv_transpose2d", [[1, 2, 3, 2], [2, 2, 2, 2]], |x, w| {
        op::conv_transpose2d(x, w, None, ConvTransposeOptions::new([1, 2], [0, 0], [0, 0], [1, 1], 1))
    });
    check("conv_transpose3d", [[1, 2, 2, 2, 2], [2, 2, 2, 1, 2]], |x, w| {
        op::conv_transpose3d(x, w, None, ConvTransposeOptions::new([1; 3], [0; 3], [0; 3], [1; 3], 1))
    });
    check("pools of a line", [[2, 2, 6], [2, 2, 6]], |x, w| {
        let max = op::max_pool1d(x.clone() * w.clone(), 2, 2, 0, 1, false);
        max * op::avg_pool1d(x, 2, 2, 0, true, false) + op::adaptive_avg_pool1d(w, 3)
    });
    check("pools of a plane", [[1, 2, 4, 6], [1, 2, 4, 6]], |x, w| {
        let max = op::max_pool2d(x.clone() * w.clone(), [2, 2], [2, 2], [0, 0], [1, 1], false);
        max * op::avg_pool2d(x, [2, 2], [2, 2], [0, 0], true, false) + op::adaptive_avg_pool2d(w, [2, 3])
    });
    check("interpolation", [[1, 2, 2, 3], [1, 2, 4, 6]], |x, w| {
        op::interpolate(x, [4, 6], InterpolateOptions::new(InterpolateMode::Nearest)) * w
    });
    check("embedding", [[4, 3], [4, 3]], |x, w| {
        let indices = || ints::<Reverse, 2>([1, 3], &[3, 0, 3]);
        op::embedding(x, indices()) * op::embedding(w, indices())
    });
    check("activations", [[3, 4], [3, 4]], |x, w| {
        let x = activation::relu(x.clone()) + activation::sigmoid(x.clone() * w) * x;
        activation::log_sigmoid(x)
    });
}
