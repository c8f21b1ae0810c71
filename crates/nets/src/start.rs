//! What networks share that start from a trained velocity ([`Network::start_from`](crate::Network::start_from)).
//!
//! The velocity was asked at `r = t` alone. A network told `t`, or `t` and a gap that was always 0, knows it by `t`; every other
//! number of the new clock gets a part that is constant, and that can learn. A network told `r` too knows the velocity by both
//! times, and none of the new clock's numbers takes their place.

use crate::error::NetError;
use burn::{
    module::Param,
    nn::Linear,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::Clock;

/// The clocks of a velocity and of the network that starts from it.
///
/// # Errors
/// [`NetError::NoStart`] where the one cannot follow from the other, or the settings differ elsewhere (`same` is false).
pub(crate) fn check_clocks(flow: Clock, start: Clock, same: bool) -> Result<(), NetError> {
    let fail = |reason| Err(NetError::NoStart { reason });
    match (flow, start) {
        _ if !same => fail("the flow's network has other sizes"),
        (Clock::Time | Clock::TimeAndGap, Clock::TimeAndGap | Clock::BothTimes | Clock::AllThree) => Ok(()),
        (Clock::Time, Clock::Time) => Ok(()),
        (Clock::Time | Clock::TimeAndGap, _) => fail("its clock does not tell t beside another time"),
        _ => fail("the flow's clock is neither \"t\" nor \"t,h\""),
    }
}

/// `layer` with an output that does not depend on its input: `bias`, `[outputs]`.
pub(crate) fn constant<B: Backend>(layer: Linear<B>, bias: Tensor<B, 1>) -> Linear<B> {
    Linear { weight: layer.weight.map(|weight| weight.zeros_like()), bias: with(layer.bias, bias) }
}

/// A parameter with another value, of the same identity.
pub(crate) fn with<B: Backend, const D: usize>(
    param: Option<Param<Tensor<B, D>>>,
    value: Tensor<B, D>,
) -> Option<Param<Tensor<B, D>>> {
    param.map(|param| param.map(|_| value))
}

/// `x` with zeros behind it along `dim`, `length` in all.
pub(crate) fn wider<B: Backend, const D: usize>(x: Tensor<B, D>, dim: usize, length: usize) -> Tensor<B, D> {
    let mut shape = x.dims();
    match length - shape[dim] {
        0 => x,
        more => {
            shape[dim] = more;
            let zeros = Tensor::zeros(shape, &x.device());
            Tensor::cat(vec![x, zeros], dim)
        }
    }
}

/// The layer of a wider input that computes what `flow` does from the `known` first features: `own` is made for
/// the wider input, of which later features count nothing; the flow's later features, if it has any, are `constant`, `[1, features]`.
pub(crate) fn widened<B: Backend>(
    own: Linear<B>,
    flow: &Linear<B>,
    known: usize,
    constant: Option<Tensor<B, 2>>,
) -> Linear<B> {
    let ([inputs, _], weight) = (own.weight.dims(), flow.weight.val());
    let bias = flow.bias.as_ref().expect("made with a bias").val();
    let bias = match constant {
        Some(constant) => {
            let count = constant.dims()[1];
            bias + constant.matmul(weight.clone().narrow(0, known, count)).squeeze_dim::<1>(0)
        }
        None => bias,
    };
    let weight = wider(weight.narrow(0, 0, known), 0, inputs);
    Linear { weight: own.weight.map(|_| weight), bias: with(own.bias, bias) }
}
