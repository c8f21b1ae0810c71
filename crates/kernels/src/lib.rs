//! Fused operations of networks for Burn, each with its gradient and its Jacobian-vector product, and the update of all parameters.
//!
//! A network that is generic over `B: Backend` calls [`conv2d`] or [`attention`] as it would call Burn's own operations. Where
//! the backend has kernels ([`Kernels`]: Flex, reverse mode on it, forward mode on either), they run; on every other backend, and
//! for numbers other than `f32`, the same is composed of Burn's operations. A kernel gives the same bits for any number of threads.
//!
//! ## How it is built
//!
//! `call` finds the kernels of a backend at run time, so that networks need no bound beyond `Backend`. [`Kernels`] has one method an
//! operation, and a default that composes it. A plain backend with kernels says so by [`Fused`], which adds the gradients;
//! `autodiff` makes nodes of the tape of them, `jvp` rules of forward mode. `flex` is the processor. An [`update()`] of parameters is for
//! plain backends alone.

mod autodiff;
mod call;
mod composed;
mod flex;
mod jvp;
mod kernels;
mod operands;
mod update;

pub use call::{
    activate, attention, conv2d, gated_sum, group_norm, linear, modulated_norm, resample, softmax,
    sum_of_squares, update,
};
pub use kernels::{Fused, Kernels};
pub use operands::{Activation, GroupNorm, GroupNormGradients, ModulationDirections, ModulationGradients};
pub use update::{Adam, Form, Gradient, Moments, Parameter, Updated};
