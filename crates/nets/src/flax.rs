//! Weights under the names of the official JAX MeanFlow code (Flax, `Gsunshine/meanflow`).
//!
//! Layouts agree up to reshaping: a Flax `kernel` is `[in, out]` like Burn's, and the patch kernel `[h, w, in, out]` is our
//! patch embedder's `[patch²·channels, width]` read in order, because patches are flattened as `(row, column, channel)`.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Tensor, TensorData, backend::Backend},
};

use crate::Dit;

/// The Flax name of the parameter at this path of a [`Dit`].
pub(crate) fn name(path: &str) -> String {
    Path(path.split('.').map(str::to_owned).collect()).flax_name()
}

/// A tensor of a weight file: its sizes and its values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// The same values in the shape of `other`, if that differs by merged leading dimensions alone.
    pub(crate) fn with_shape_of(mut self, other: &Self) -> Self {
        if same_matrix(&other.shape, &self.shape) {
            self.shape.clone_from(&other.shape);
        }
        self
    }
}

/// Weights that are not those of the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlaxError {
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

/// Replaces every weight of `net` by the one of its Flax name.
///
/// Names are relative to the network (`blocks.layers_0.attn.qkv._flax_linear.kernel`), with `.` or `/` between their parts.
///
/// # Errors
/// If a weight is missing, left over, or of another shape.
pub fn load<B: Backend>(net: Dit<B>, weights: &BTreeMap<String, HostTensor>) -> Result<Dit<B>, FlaxError> {
    let mut loader = Loader {
        path: Path::default(),
        left: weights.iter().map(|(name, tensor)| (name.replace('/', "."), tensor)).collect(),
        error: None,
    };
    let net = net.map(&mut loader);
    if let Some(error) = loader.error {
        return Err(error);
    }
    match loader.left.pop_first() {
        Some((name, _)) => Err(FlaxError::Unused(name)),
        None => Ok(net),
    }
}

/// Where a visitor or mapper is in a [`Dit`].
#[derive(Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str) {
        self.0.push(name.to_string());
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    /// The Flax name of the parameter here.
    pub(crate) fn flax_name(&self) -> String {
        let parts: Vec<&str> = self.0.iter().map(String::as_str).collect();
        let (leaf, module) = parts.split_last().expect("a parameter has a name");
        let leaf = match *leaf {
            "weight" => "kernel",
            "table" => "embedding",
            other => other,
        };
        let module = match module {
            ["x_embedder"] => "x_embedder.proj".to_string(),
            ["y_embedder"] => "y_embedder.embedding_table._flax_embedding".to_string(),
            [embedder, "fc1"] => format!("{embedder}.mlp.layers_0._flax_linear"),
            [embedder, "fc2"] => format!("{embedder}.mlp.layers_2._flax_linear"),
            ["blocks", index, layer] => {
                let layer = match *layer {
                    "qkv" | "proj" => format!("attn.{layer}"),
                    "fc1" | "fc2" => format!("mlp.{layer}"),
                    _ => "adaLN_modulation.layers_1".to_string(),
                };
                format!("blocks.layers_{index}.{layer}._flax_linear")
            }
            ["final_layer", "modulation"] => "final_layer.adaLN_modulation.layers_1._flax_linear".to_string(),
            other => format!("{}._flax_linear", other.join(".")),
        };
        format!("{module}.{leaf}")
    }
}

/// Puts tensors into parameters by name and remembers the first problem.
struct Loader<'a> {
    path: Path,
    left: BTreeMap<String, &'a HostTensor>,
    error: Option<FlaxError>,
}

impl<B: Backend> ModuleMapper<B> for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let name = self.path.flax_name();
        let expected: [usize; D] = param.lazy_shape().dims();
        let Some(tensor) = self.left.remove(&name) else {
            self.error.get_or_insert(FlaxError::Missing(name));
            return param;
        };
        if !same_matrix(&tensor.shape, &expected) {
            self.error.get_or_insert(FlaxError::Shape {
                name,
                found: tensor.shape.clone(),
                expected: expected.to_vec(),
            });
            return param;
        }
        let data = TensorData::new(tensor.values.clone(), expected);
        param.map(|old| Tensor::from_data(data, &old.device()).require_grad())
    }
}

/// Whether the two shapes are equal after all but the last dimension are merged.
pub(crate) fn same_matrix(a: &[usize], b: &[usize]) -> bool {
    let rows = |shape: &[usize]| shape.iter().rev().skip(1).product::<usize>();
    a.len() >= b.len() && a.last() == b.last() && rows(a) == rows(b)
}
