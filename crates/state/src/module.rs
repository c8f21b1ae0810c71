//! A module's parameters as named host tensors, and back.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::{DType, Tensor, TensorData, backend::Backend},
};
use std::collections::BTreeMap;

/// Host tensors by name, in the order of their names.
pub type Named = BTreeMap<String, TensorData>;

/// A stored tensor does not fit the module.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum StateError {
    /// The file has no such tensor.
    #[error("the checkpoint has no tensor `{0}`")]
    Missing(String),
    /// Tensors that nothing asked for.
    #[error("the checkpoint holds {count} tensors that this network does not have, the first is `{first}`")]
    Unused {
        /// How many.
        count: usize,
        /// The first of them by name.
        first: String,
    },
    /// Another shape.
    #[error(
        "`{name}` has shape {found:?} in the checkpoint, the network of this experiment needs {expected:?}"
    )]
    Shape {
        /// Name of the parameter.
        name: String,
        /// In the network.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// Another element type.
    #[error("`{name}` has elements of type {found:?}, expected {expected:?}")]
    DType {
        /// Name of the parameter.
        name: String,
        /// In the network.
        expected: DType,
        /// In the file.
        found: DType,
    },
}

/// The dotted path of a parameter, kept while a module is walked.
#[derive(Debug, Default)]
pub struct Path(Vec<String>);

impl Path {
    /// Into a field.
    pub fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// Out of it.
    pub fn exit(&mut self) {
        self.0.pop();
    }

    /// Where the walk is.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
}

/// The float parameters of `module` under their dotted paths, read to the host.
pub fn parameters<B: Backend, M: Module<B>>(module: &M) -> Named {
    let mut reader = Reader { path: Path::default(), tensors: Named::new() };
    module.visit(&mut reader);
    reader.tensors
}

struct Reader {
    path: Path,
    tensors: Named,
}

impl<B: Backend> ModuleVisitor<B> for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.tensors.insert(self.path.name(), param.val().into_data());
    }
}

/// `module` with its parameters replaced by `tensors`, which it uses up.
///
/// # Errors
/// A tensor that is missing, of another shape or type, or that the module does not have.
pub fn with_parameters<B: Backend, M: Module<B>>(module: M, tensors: Named) -> Result<M, StateError> {
    let mut writer = Writer { path: Path::default(), tensors, problem: None };
    let module = module.map(&mut writer);
    match writer.problem {
        Some(problem) => Err(problem),
        None => all_used(writer.tensors).map(|()| module),
    }
}

/// Whether stored tensors are left that nothing asked for.
///
/// # Errors
/// [`StateError::Unused`].
pub fn all_used(left: Named) -> Result<(), StateError> {
    let count = left.len();
    left.into_keys().next().map_or(Ok(()), |first| Err(StateError::Unused { count, first }))
}

struct Writer {
    path: Path,
    tensors: Named,
    problem: Option<StateError>,
}

impl Writer {
    fn take(&mut self, expected: &[usize], dtype: DType) -> Result<TensorData, StateError> {
        let name = self.path.name();
        let data = self.tensors.remove(&name).ok_or_else(|| StateError::Missing(name.clone()))?;
        fits(&name, &data, expected, dtype)?;
        Ok(data)
    }
}

/// Checks shape and element type of a stored tensor.
///
/// # Errors
/// [`StateError::Shape`], [`StateError::DType`].
pub fn fits(name: &str, data: &TensorData, expected: &[usize], dtype: DType) -> Result<(), StateError> {
    if data.shape.as_slice() != expected {
        return Err(StateError::Shape {
            name: name.to_owned(),
            expected: expected.to_vec(),
            found: data.shape.to_vec(),
        });
    }
    if data.dtype != dtype {
        return Err(StateError::DType { name: name.to_owned(), expected: dtype, found: data.dtype });
    }
    Ok(())
}

impl<B: Backend> ModuleMapper<B> for Writer {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        let tensor = match self.take(&tensor.dims(), tensor.dtype()) {
            Ok(data) => {
                let loaded = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
                if tensor.is_require_grad() { loaded.require_grad() } else { loaded }
            }
            Err(problem) => {
                self.problem.get_or_insert(problem);
                tensor
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

/// Path, identifier and rank-erased visits of a module's float parameters, for optimizers keyed by identifier.
pub trait ParamVisitor<B: Backend> {
    /// Called for a parameter with its dotted path.
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, tensor: Tensor<B, D>);
}

/// Calls `visitor` for every float parameter of `module`.
pub fn visit_parameters<B: Backend, M: Module<B>>(module: &M, visitor: &mut impl ParamVisitor<B>) {
    module.visit(&mut Walker { path: Path::default(), visitor });
}

struct Walker<'a, V> {
    path: Path,
    visitor: &'a mut V,
}

impl<B: Backend, V: ParamVisitor<B>> ModuleVisitor<B> for Walker<'_, V> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.visitor.visit(self.path.name(), param.id, param.val());
    }
}
