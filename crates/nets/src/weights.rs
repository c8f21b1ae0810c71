//! Weights under the names and in the layouts of other people's code.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{
        Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};

/// A tensor of a weight file: its sizes and its values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// The numbers of a tensor.
    pub(crate) fn of<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Self {
        Self {
            shape: tensor.dims().to_vec(),
            values: tensor.into_data().convert::<f32>().into_vec().expect("converted to f32"),
        }
    }

    /// The same values in the shape of `other`, if that differs by merged leading dimensions alone.
    pub(crate) fn with_shape_of(mut self, other: &Self) -> Self {
        if same_matrix(&other.shape, &self.shape) {
            self.shape.clone_from(&other.shape);
        }
        self
    }

    /// Rows and columns exchanged, if this is a matrix.
    fn transposed(self) -> Self {
        let [rows, columns] = self.shape[..] else { return self };
        let value = |i: usize| self.values[i % rows * columns + i / rows];
        Self { shape: vec![columns, rows], values: (0..rows * columns).map(value).collect() }
    }
}

/// Weights that are not those of the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The network has a parameter that the file lacks.
    #[error("the weights lack `{0}`")]
    Missing(String),
    /// The file has a tensor that no parameter takes.
    #[error("the network has no parameter for `{0}`")]
    Unused(String),
    /// A tensor has other sizes than the parameter.
    #[error("`{name}` has the shape {found:?}, the network needs {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Sizes in the file.
        found: Vec<usize>,
        /// Sizes of the parameter, without a patch kernel's split of its first dimension.
        expected: Vec<usize>,
    },
}

/// How a parameter of this crate is laid out elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The same numbers in the same order; leading dimensions may be merged here.
    Same,
    /// A matrix whose rows are columns here.
    Transposed,
}

/// The names of a network's weights in another code.
pub trait Names {
    /// Name and layout of the parameter at `path` of the module.
    fn of(&self, path: &[&str]) -> (String, Layout);
}

/// Replaces every weight of `net` by the one of its name; both `.` and `/` may stand between the parts of a name.
///
/// # Errors
/// If a weight is missing, left over, or of another shape.
pub fn load<B: Backend, M: Module<B>>(
    net: M,
    names: &impl Names,
    weights: &BTreeMap<String, HostTensor>,
) -> Result<M, WeightsError> {
    let mut loader = Loader {
        names,
        path: Vec::new(),
        left: weights.iter().map(|(name, tensor)| (name.replace('/', "."), tensor)).collect(),
        error: None,
    };
    let net = net.map(&mut loader);
    if let Some(error) = loader.error {
        return Err(error);
    }
    match loader.left.pop_first() {
        Some((name, _)) => Err(WeightsError::Unused(name)),
        None => Ok(net),
    }
}

/// Puts tensors into parameters by name and remembers the first problem.
struct Loader<'a, N> {
    names: &'a N,
    path: Vec<String>,
    left: BTreeMap<String, &'a HostTensor>,
    error: Option<WeightsError>,
}

impl<B: Backend, N: Names> ModuleMapper<B> for Loader<'_, N> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (name, layout) = named(self.names, &self.path);
        let shape: [usize; D] = param.lazy_shape().dims();
        let Some(tensor) = self.left.remove(&name) else {
            self.error.get_or_insert(WeightsError::Missing(name));
            return param;
        };
        let mut expected = shape.to_vec();
        if layout == Layout::Transposed {
            expected.reverse();
        }
        if !same_matrix(&tensor.shape, &expected) {
            let found = tensor.shape.clone();
            self.error.get_or_insert(WeightsError::Shape { name, found, expected });
            return param;
        }
        let tensor = match layout {
            Layout::Same => tensor.clone(),
            Layout::Transposed => tensor.clone().transposed(),
        };
        let data = TensorData::new(tensor.values, shape);
        param.map(|old| Tensor::from_data(data, &old.device()).require_grad())
    }
}

/// The gradients of a module's weights by their names elsewhere, in the layouts there; zero for a weight that the loss does
/// not depend on.
pub(crate) fn gradients<B: AutodiffBackend, M: Module<B>>(
    net: &M,
    names: &impl Names,
    tape: B::Gradients,
) -> BTreeMap<String, HostTensor> {
    let mut visitor = Gradients::<B, _> { names, path: Vec::new(), tape, found: BTreeMap::new() };
    net.visit(&mut visitor);
    visitor.found
}

struct Gradients<'a, B: AutodiffBackend, N> {
    names: &'a N,
    path: Vec<String>,
    tape: B::Gradients,
    found: BTreeMap<String, HostTensor>,
}

impl<B: AutodiffBackend, N: Names> ModuleVisitor<B> for Gradients<'_, B, N> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let (name, layout) = named(self.names, &self.path);
        let value = param.val();
        let gradient = value.grad(&self.tape).unwrap_or_else(|| value.inner().zeros_like());
        let gradient = HostTensor::of(gradient);
        let gradient = match layout {
            Layout::Same => gradient,
            Layout::Transposed => gradient.transposed(),
        };
        self.found.insert(name, gradient);
    }
}

fn named(names: &impl Names, path: &[String]) -> (String, Layout) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    names.of(&path)
}

/// Whether the two shapes are equal after all but the last dimension are merged.
fn same_matrix(a: &[usize], b: &[usize]) -> bool {
    let rows = |shape: &[usize]| shape.iter().rev().skip(1).product::<usize>();
    a.len() >= b.len() && a.last() == b.last() && rows(a) == rows(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_matrix_has_its_rows_as_columns() {
        let matrix = HostTensor { shape: vec![2, 3], values: vec![1., 2., 3., 4., 5., 6.] };
        let transposed = matrix.clone().transposed();
        assert_eq!(transposed, HostTensor { shape: vec![3, 2], values: vec![1., 4., 2., 5., 3., 6.] });
        assert_eq!(transposed.transposed(), matrix);
    }
}
