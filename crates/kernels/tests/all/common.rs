//! What the tests share: numbers, a backend, and everything that an operation gives.

use burn::{
    backend::{Autodiff, Flex},
    tensor::{DType, Tensor, TensorData},
};
use meanflow_jvp::{Dual, Jvp, Mode, Untaped, check::Draws};

/// The backend that trains.
pub type B<M = Untaped> = Jvp<Autodiff<Flex>, M>;

/// An operand in both precisions: the numbers are those of `f32`.
pub struct Operand {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Operand {
    pub fn new(shape: &[usize], seed: u64) -> Self {
        let numbers = Draws::new(seed).take(shape.iter().product());
        Self { shape: shape.to_vec(), values: numbers.into_iter().map(|x| x as f32).collect() }
    }

    pub fn tensor<X: burn::tensor::backend::Backend, const D: usize>(&self, dtype: DType) -> Tensor<X, D> {
        let data = TensorData::new(self.values.clone(), self.shape.clone());
        Tensor::from_data(data, (&Default::default(), dtype))
    }
}

/// Value and tangent of an operation and the gradients of `Σ value·weights`, and of `Σ (value + tangent)·weights` on the tape.
pub fn everything<M: Mode<Autodiff<Flex>>>(
    dtype: DType,
    operands: &[Operand; 3],
    directions: [Option<&Operand>; 3],
    f: impl Fn(Tensor<B<M>, 4>, &dyn Fn(usize) -> Tensor<B<M>, 4>) -> Tensor<B<M>, 4>,
) -> Vec<(String, Vec<f64>)>
where
    Tensor<B<M>, 4>: Dual<B<M>, 4>,
{
    let leaves: Vec<Tensor<B<M>, 4>> =
        operands.iter().map(|operand| operand.tensor::<B<M>, 4>(dtype).require_grad()).collect();
    let with = |index: usize| {
        let leaf = leaves[index].clone();
        match directions[index] {
            Some(direction) => leaf.with_tangent(direction.tensor::<M::Tangent, 4>(dtype)),
            None => leaf,
        }
    };
    let y = f(with(0), &with);
    let mut found = vec![("value".to_owned(), numbers(y.clone()))];
    let (y, dy) = y.split_tangent();
    let mut loss = y;
    if let Some(dy) = dy {
        found.push(("tangent".to_owned(), numbers(dy.clone())));
        // Off the tape this is a constant.
        loss = loss + <Tensor<B<M>, 4> as Dual<B<M>, 4>>::from_value(dy);
    }
    let weights = Operand::new(&loss.dims(), 99).tensor::<B<M>, 4>(dtype);
    let grads = (loss * weights).sum().backward();
    for (index, leaf) in leaves.iter().enumerate() {
        let grad = leaf.grad(&grads).expect("every operand has a gradient");
        found.push((format!("gradient {index}"), numbers(grad)));
    }
    found
}

pub fn numbers<X: burn::tensor::backend::Backend, const D: usize>(x: Tensor<X, D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

/// The largest difference over the largest number.
pub fn error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0f64, |max, b| max.max(b.abs()));
    a.iter().zip(b).fold(0f64, |max, (a, b)| max.max((a - b).abs())) / largest
}

/// Kernels in single precision against the composed form in double.
pub fn assert_close(fused: &[(String, Vec<f64>)], composed: &[(String, Vec<f64>)]) {
    assert_eq!(fused.len(), composed.len());
    for ((name, fused), (_, composed)) in fused.iter().zip(composed) {
        let error = error(fused, composed);
        assert!(error < 1e-6, "{name}: {error:e}");
    }
}
