//! Functions of one number, on every layout and several ranks.
//!
//! Constants are powers of two where Burn's reverse mode rounds them to f32.

use burn::tensor::{Tensor, activation, s};

use meanflow_jvp::check::check_vjp;

use crate::common::{B, Plain, forward_rule, input, rule, uniform};

/// Checks one function on contiguous, transposed, sliced, flipped, expanded and reshaped inputs, at ranks 1 to 4.
macro_rules! elementwise {
    ($($name:ident in [$low:expr, $high:expr]: |$x:ident| $body:expr;)*) => {$(
        #[test]
        fn $name() {
            let (low, high) = ($low, $high);
            let name = stringify!($name);
            let f2 = |$x: Tensor<B, 2>| $body;
            rule(name, uniform([3, 4], low, high, 1), &f2);
            rule(name, uniform([5, 3], low, high, 2), &|x: Tensor<B, 2>| f2(x.transpose()));
            rule(name, uniform([6, 5], low, high, 3), &|x: Tensor<B, 2>| f2(x.slice(s![1..;2, 1..4])));
            rule(name, uniform([3, 4], low, high, 4), &|x: Tensor<B, 2>| f2(x.flip([1])));
            rule(name, uniform([1, 4], low, high, 5), &|x: Tensor<B, 2>| f2(x.expand([3, 4])));
            rule(name, uniform([7], low, high, 6), &|$x: Tensor<B, 1>| $body);
            rule(name, uniform([2, 3, 2], low, high, 7), &|$x: Tensor<B, 3>| $body);
            rule(name, uniform([2, 2, 3, 2], low, high, 8), &|x: Tensor<B, 4>| {
                let $x = x.permute([3, 1, 0, 2]);
                $body
            });
        }
    )*};
}

elementwise! {
    add_scalar in [-1.0, 1.0]: |x| x + 0.7;
    sub_scalar in [-1.0, 1.0]: |x| x - 0.7;
    mul_scalar in [-1.0, 1.0]: |x| x * 0.7;
    div_scalar in [-1.0, 1.0]: |x| x / 0.5;
    neg in [-1.0, 1.0]: |x| -x;
    recip in [0.5, 2.0]: |x| x.recip();
    exp in [-1.0, 1.0]: |x| x.exp();
    log in [0.5, 2.0]: |x| x.log();
    log1p in [-0.5, 2.0]: |x| x.log1p();
    sqrt in [0.5, 2.0]: |x| x.sqrt();
    abs in [-1.0, 1.0]: |x| x.abs();
    square in [-1.0, 1.0]: |x| x.square();
    cos in [-2.0, 2.0]: |x| x.cos();
    sin in [-2.0, 2.0]: |x| x.sin();
    tan in [-1.0, 1.0]: |x| x.tan();
    cosh in [-1.0, 1.0]: |x| x.cosh();
    sinh in [-1.0, 1.0]: |x| x.sinh();
    tanh in [-1.0, 1.0]: |x| x.tanh();
    acos in [-0.8, 0.8]: |x| x.acos();
    acosh in [1.5, 3.0]: |x| x.acosh();
    asin in [-0.8, 0.8]: |x| x.asin();
    asinh in [-1.0, 1.0]: |x| x.asinh();
    atan in [-1.0, 1.0]: |x| x.atan();
    atanh in [-0.8, 0.8]: |x| x.atanh();
    erf in [-1.0, 1.0]: |x| x.erf();
    powi_of_two in [-1.0, 1.0]: |x| x.powi_scalar(2);
    powi_of_three in [-1.0, 1.0]: |x| x.powi_scalar(3);
    powi_of_minus_one in [0.5, 2.0]: |x| x.powi_scalar(-1);
    powi_of_minus_two in [0.5, 2.0]: |x| x.powi_scalar(-2);
    powi_of_minus_three in [0.5, 2.0]: |x| x.powi_scalar(-3);
    powf_of_one in [-1.0, 1.0]: |x| x.powf_scalar(1.0);
    powf_of_a_half in [0.5, 2.0]: |x| x.powf_scalar(0.5);
    powf_of_minus_two_and_a_half in [0.5, 2.0]: |x| x.powf_scalar(-2.5);
    remainder_scalar in [-2.0, 2.0]: |x| x.remainder_scalar(0.7);
    clamp in [-1.0, 1.0]: |x| x.clamp(-0.4, 0.3);
    clamp_min in [-1.0, 1.0]: |x| x.clamp_min(-0.4);
    clamp_max in [-1.0, 1.0]: |x| x.clamp_max(0.3);
    relu in [-1.0, 1.0]: |x| activation::relu(x);
    leaky_relu in [-1.0, 1.0]: |x| activation::leaky_relu(x, 0.1);
    gelu in [-2.0, 2.0]: |x| activation::gelu(x);
    gelu_approximate in [-2.0, 2.0]: |x| activation::gelu_approximate(x);
    sigmoid in [-2.0, 2.0]: |x| activation::sigmoid(x);
    log_sigmoid in [-2.0, 2.0]: |x| activation::log_sigmoid(x);
    silu in [-2.0, 2.0]: |x| activation::silu(x);
    softplus in [-2.0, 2.0]: |x| activation::softplus(x, 2.0);
    mish in [-2.0, 2.0]: |x| activation::mish(x);
    elu in [-2.0, 2.0]: |x| activation::elu(x, 1.2);
    cast in [-1.0, 1.0]: |x| x.cast(burn::tensor::DType::F64) * 2.0;
}

#[test]
fn prelu() {
    let alpha = |seed| uniform::<B, 1>([3], 0.1, 0.5, seed);
    let x = input::<B, 3>([2, 3, 4], 1);
    rule("prelu", (x.clone(), alpha(2)), &|(x, alpha): (Tensor<B, 3>, Tensor<B, 1>)| {
        activation::prelu(x, alpha)
    });
    rule("prelu in x", x.clone(), &|x| activation::prelu(x, alpha(3)));
    rule("prelu in alpha", alpha(4), &|alpha| activation::prelu(x.clone(), alpha));
}

/// Burn's reverse mode computes it in f32 whatever the dtype; Flex does not.
#[test]
fn hard_sigmoid() {
    for (name, x) in [
        ("hard_sigmoid", uniform::<Plain, 2>([3, 4], -4.0, 4.0, 1)),
        ("strided", uniform([3, 4], -4.0, 4.0, 2).transpose()),
    ] {
        forward_rule(name, x, &|x: Tensor<Plain, 2>| activation::hard_sigmoid(x.clone(), 0.2, 0.5) * x);
    }
    let error =
        check_vjp(|x: Tensor<B, 2>| activation::hard_sigmoid(x, 0.2, 0.5), &uniform([3, 4], -4.0, 4.0, 3), 1);
    assert!(error < 1e-6, "{error:e} against reverse mode");
}
