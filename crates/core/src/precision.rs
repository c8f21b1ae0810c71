//! Mixed precision: activations in bfloat16, weights in single precision.

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{DType, Tensor, backend::Backend},
};

/// In what numbers the rows of a batch are computed that no derivative in time is taken of.
///
/// Rows with a derivative are computed in the weights' own numbers in any case, and so is the loss: `(t−r)·du/dt` would carry the
/// rounding of bfloat16 into the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// In those of the weights, single precision in a run.
    #[default]
    Full,
    /// In bfloat16.
    Bf16,
}

impl Precision {
    /// All of them, by the name in an experiment file.
    pub const ALL: [(&'static str, Self); 2] = [("f32", Self::Full), ("bf16", Self::Bf16)];

    /// The network in these numbers; its gradients reach the weights of `net`.
    pub fn cast<B: Backend, N: Module<B>>(self, net: &N) -> N {
        match self {
            Self::Full => net.clone(),
            Self::Bf16 => net.clone().map(&mut Halve),
        }
    }

    /// The network's input in these numbers.
    pub fn input<B: Backend, const D: usize>(self, z: Tensor<B, D>) -> Tensor<B, D> {
        match self {
            Self::Full => z,
            Self::Bf16 => z.cast(DType::BF16),
        }
    }

    /// Its output in the numbers of the loss.
    pub fn output<B: Backend, const D: usize>(self, u: Tensor<B, D>, loss: DType) -> Tensor<B, D> {
        match self {
            Self::Full => u,
            Self::Bf16 => u.cast(loss),
        }
    }
}

struct Halve;

impl<B: Backend> ModuleMapper<B> for Halve {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, weights, mapper) = param.consume();
        Param::from_mapped_value(id, weights.cast(DType::BF16), mapper)
    }
}

/// `x` in the numbers of `other`: constants and conditions come in single precision.
pub fn typed_as<B: Backend, const D: usize, const E: usize>(
    x: Tensor<B, D>,
    other: &Tensor<B, E>,
) -> Tensor<B, D> {
    if x.dtype() == other.dtype() { x } else { x.cast(other.dtype()) }
}

/// `f(x)`, computed in single precision at least and returned in the numbers of `x`: for sums over many elements.
pub fn widened<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    f: impl FnOnce(Tensor<B, D>) -> Tensor<B, D>,
) -> Tensor<B, D> {
    match x.dtype() {
        narrow @ (DType::BF16 | DType::F16) => f(x.cast(DType::F32)).cast(narrow),
        _ => f(x),
    }
}
