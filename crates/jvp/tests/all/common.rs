//! What the tests share: the backend, random inputs and the two checks of a rule.

use std::sync::Once;

use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{DType, Int, Shape, Tensor, TensorData, set_default_dtypes};
use meanflow_jvp::Jvp;
use meanflow_jvp::check::{Draws, Inputs, check_jvp, check_vjp};

/// The backend that trains.
pub type B = Jvp<Autodiff<Flex>>;

/// Forward mode alone.
pub type Plain = Jvp<Flex>;

pub type Device = <B as BackendTypes>::Device;

/// The device, with f64 as the default type of this process's tensors.
pub fn device() -> Device {
    static F64: Once = Once::new();
    let device = Default::default();
    F64.call_once(|| set_default_dtypes::<Flex>(&device, DType::F64, DType::I64).expect("no tensor yet"));
    device
}

/// Uniform numbers in `[low, high]`.
pub fn uniform<B: Backend<Device = Device>, const D: usize>(
    shape: [usize; D],
    low: f64,
    high: f64,
    seed: u64,
) -> Tensor<B, D> {
    let device = device();
    let shape = Shape::new(shape);
    let numbers = Draws::new(0xA5A5 ^ seed).take(shape.num_elements());
    let numbers: Vec<f64> = numbers.into_iter().map(|x| low + (high - low) * (x + 1.0) / 2.0).collect();
    Tensor::from_data(TensorData::new(numbers, shape), (&device, DType::F64))
}

/// Uniform numbers in `[−1, 1]`.
pub fn input<B: Backend<Device = Device>, const D: usize>(shape: [usize; D], seed: u64) -> Tensor<B, D> {
    uniform(shape, -1.0, 1.0, seed)
}

pub fn ints<B: Backend<Device = Device>, const D: usize>(
    shape: [usize; D],
    values: &[i64],
) -> Tensor<B, D, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (&device(), DType::I64))
}

/// Forward mode against central differences and against reverse mode.
pub fn rule<X: Inputs<B>, const K: usize>(name: &str, x: X, f: &dyn Fn(X) -> Tensor<B, K>) {
    let error = check_jvp(f, &x, 1);
    assert!(error < 1e-8, "{name}: {error:e} against central differences");
    let error = check_vjp(f, &x, 2);
    assert!(error < 1e-11, "{name}: {error:e} against reverse mode");
}

/// Forward mode against central differences, for what Burn's reverse mode cannot do.
pub fn forward_rule<X: Inputs<Plain>, const K: usize>(name: &str, x: X, f: &dyn Fn(X) -> Tensor<Plain, K>) {
    let error = check_jvp(f, &x, 1);
    assert!(error < 1e-8, "{name}: {error:e} against central differences");
}

/// The numbers of a tensor.
pub fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
