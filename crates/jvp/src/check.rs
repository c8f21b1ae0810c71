//! Checkers of derivatives, for tests: forward mode against finite differences and against reverse mode.
//!
//! Both draw a random direction from a seed and return a relative error. In f64 expect about `1e-9` from
//! [`check_jvp`] and `1e-12` from [`check_vjp`]; make f64 the process's default dtype first thing in the test binary.
//!
//! ```
//! use burn::{backend::{Autodiff, Flex}, tensor::{DType, Tensor}};
//! use meanflow_jvp::{Jvp, check::{check_jvp, check_vjp}};
//! type B = Jvp<Autodiff<Flex>>;
//!
//! let x = Tensor::<B, 1>::from_data([0.5, -1.5], (&Default::default(), DType::F64));
//! assert!(check_jvp(|x: Tensor<B, 1>| x.clone().sin() * x, &x, 0) < 1e-8);
//! assert!(check_vjp(|x: Tensor<B, 1>| x.clone().sin() * x, &x, 0) < 1e-11);
//! ```

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Shape, Tensor, TensorData};

use crate::forward::{Dual, ForwardMode};
use crate::functional::{Duals, jvp};

/// The step of the finite differences. With the five-point formula the truncation error is below round-off in f64.
const STEP: f64 = 1e-4;

/// The relative error of the Jacobian-vector product of `f` at `x` along a random direction.
///
/// `max |J·d − D| / max |D|` with `D = (8(f₊₁ − f₋₁) − (f₊₂ − f₋₂)) / 12h`, `fₖ = f(x + k·h·d)`; the absolute error where
/// `D` is zero. A point of `x` within `2h` of a kink of `f` spoils the comparison, not the derivative.
pub fn check_jvp<B, X, const K: usize>(f: impl Fn(X) -> Tensor<B, K>, x: &X, seed: u64) -> f64
where
    B: ForwardMode,
    X: Inputs<B>,
{
    let direction = x.direction(&mut Draws::new(seed));
    let at = |k: f64| values(f(x.moved(&direction, k * STEP)));
    let (near, far) = ((at(1.0), at(-1.0)), (at(2.0), at(-2.0)));
    let expected: Vec<f64> = (0..near.0.len())
        .map(|i| (8.0 * (near.0[i] - near.1[i]) - (far.0[i] - far.1[i])) / (12.0 * STEP))
        .collect();
    let (_, tangent) = jvp(&f, x.clone(), direction);
    let tangent = values(tangent);
    let error = largest(tangent.iter().zip(&expected).map(|(a, b)| a - b));
    relative(error, largest(expected.into_iter()))
}

/// The relative difference of `⟨w, J·d⟩` (forward mode) and `⟨Jᵀ·w, d⟩` (reverse mode) for random `w` and `d`, both from
/// the same evaluation of `f` at `x`.
///
/// The scale is `Σ |wᵢ (J·d)ᵢ|`, which does not cancel; the absolute difference where that is zero.
pub fn check_vjp<B, X, const K: usize>(f: impl Fn(X) -> Tensor<B, K>, x: &X, seed: u64) -> f64
where
    B: ForwardMode + AutodiffBackend,
    X: Inputs<B>,
{
    let mut draws = Draws::new(seed);
    let direction = x.direction(&mut draws);
    let x = x.clone().tracked();
    let (y, tangent) = f(x.clone().with_tangents(direction.clone())).split_tangents();
    let w: Vec<f64> = draws.take(y.shape().num_elements());
    let terms: Vec<f64> = values(tangent).iter().zip(&w).map(|(t, w)| t * w).collect();
    let w = tensor::<B, K>(w, y.shape(), &y.device(), y.dtype());
    let gradients = (y * w).sum().backward();
    let forward: f64 = terms.iter().sum();
    let reverse = x.gradient_along(&gradients, &direction);
    relative((forward - reverse).abs(), terms.iter().map(|term| term.abs()).sum())
}

/// What the checkers need of the arguments of a function: tensors, tuples, arrays and vectors of them.
pub trait Inputs<B: ForwardMode>: Duals<B> + Clone {
    /// A random direction: independent uniform numbers in `[−1, 1]`.
    fn direction(&self, draws: &mut Draws) -> Self::Tangents;

    /// `x + step·d`, without tangents.
    fn moved(&self, direction: &Self::Tangents, step: f64) -> Self;

    /// Leaves of the tape that require gradients.
    fn tracked(self) -> Self;

    /// `⟨gradient, d⟩`, zero for an input that no gradient reached.
    fn gradient_along(&self, gradients: &B::Gradients, direction: &Self::Tangents) -> f64
    where
        B: AutodiffBackend;
}

impl<B: ForwardMode, const D: usize> Inputs<B> for Tensor<B, D> {
    fn direction(&self, draws: &mut Draws) -> Self::Tangents {
        let numbers = draws.take(self.shape().num_elements());
        tensor(numbers, self.shape(), &self.device(), self.dtype())
    }

    fn moved(&self, direction: &Self::Tangents, step: f64) -> Self {
        Self::from_value(self.value() + direction.clone() * step)
    }

    fn tracked(self) -> Self {
        self.detach().require_grad()
    }

    fn gradient_along(&self, gradients: &B::Gradients, direction: &Self::Tangents) -> f64
    where
        B: AutodiffBackend,
    {
        let Some(gradient) = self.grad(gradients) else {
            return 0.0;
        };
        let direction = values(direction.clone());
        values(gradient).iter().zip(direction).map(|(g, d)| g * d).sum()
    }
}

/// Inputs that hold a list of inputs of one type.
macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)*) => {$(
        impl<B: ForwardMode, T: Inputs<B>, $($generics)*> Inputs<B> for $list {
            fn direction(&self, draws: &mut Draws) -> Self::Tangents {
                let directions: Vec<_> = self.iter().map(|x| x.direction(draws)).collect();
                directions.try_into().unwrap_or_else(|_| unreachable!("one direction for each input"))
            }

            fn moved(&self, direction: &Self::Tangents, step: f64) -> Self {
                let moved: Vec<_> = self.iter().zip(direction).map(|(x, d)| x.moved(d, step)).collect();
                moved.try_into().unwrap_or_else(|_| unreachable!("one point for each input"))
            }

            fn tracked(self) -> Self {
                let tracked: Vec<_> = self.into_iter().map(Inputs::tracked).collect();
                tracked.try_into().unwrap_or_else(|_| unreachable!("one leaf for each input"))
            }

            fn gradient_along(&self, gradients: &B::Gradients, direction: &Self::Tangents) -> f64
            where
                B: AutodiffBackend,
            {
                self.iter().zip(direction).map(|(x, d)| x.gradient_along(gradients, d)).sum()
            }
        }
    )*};
}

lists! {
    [] Vec<T>;
    [const N: usize] [T; N];
}

macro_rules! tuples {
    ($(($($t:ident $i:tt),*);)*) => {$(
        impl<B: ForwardMode, $($t: Inputs<B>),*> Inputs<B> for ($($t,)*) {
            fn direction(&self, draws: &mut Draws) -> Self::Tangents {
                ($(self.$i.direction(draws),)*)
            }

            fn moved(&self, direction: &Self::Tangents, step: f64) -> Self {
                ($(self.$i.moved(&direction.$i, step),)*)
            }

            fn tracked(self) -> Self {
                ($(self.$i.tracked(),)*)
            }

            fn gradient_along(&self, gradients: &B::Gradients, direction: &Self::Tangents) -> f64
            where
                B: AutodiffBackend,
            {
                0.0 $(+ self.$i.gradient_along(gradients, &direction.$i))*
            }
        }
    )*};
}

tuples! {
    (X0 0);
    (X0 0, X1 1);
    (X0 0, X1 1, X2 2);
    (X0 0, X1 1, X2 2, X3 3);
}

/// Uniform random numbers from a seed: the checkers must not disturb a backend's generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// The sequence of the given seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next `count` numbers in `[−1, 1]`.
    pub fn take(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.uniform()).collect()
    }

    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

fn tensor<B: Backend, const D: usize>(
    numbers: Vec<f64>,
    shape: Shape,
    device: &B::Device,
    dtype: DType,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(numbers, shape), (device, dtype))
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The largest absolute value; NaN if there is one.
fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |most: f64, x| if x.is_nan() || x.abs() > most { x.abs() } else { most })
}

fn relative(error: f64, scale: f64) -> f64 {
    if scale == 0.0 { error } else { error / scale }
}
