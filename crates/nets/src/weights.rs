//! Weights under the names and in the layouts of other people's code.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{
        Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};

use crate::layout::{self, Layout};
use meanflow_weights::HostTensor;

/// The numbers of a tensor.
pub(crate) fn on_host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> HostTensor {
    HostTensor {
        shape: tensor.dims().to_vec(),
        values: tensor.into_data().convert::<f32>().into_vec().expect("converted to f32"),
    }
}

/// The same values in the shape of `other`, if that differs by merged leading dimensions alone.
pub(crate) fn with_shape_of(mut tensor: HostTensor, other: &HostTensor) -> HostTensor {
    if layout::same_matrix(&other.shape, &tensor.shape) {
        tensor.shape.clone_from(&other.shape);
    }
    tensor
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
        let Some(values) = layout.read(tensor, &shape) else {
            let (found, expected) = (tensor.shape.clone(), layout.there(&shape));
            self.error.get_or_insert(WeightsError::Shape { name, found, expected });
            return param;
        };
        let data = TensorData::new(values, shape);
        param.map(|old| Tensor::from_data(data, &old.device()).require_grad())
    }
}

/// Every weight of `net` under its name and in its layout elsewhere: what [`load`] reads.
pub fn save<B: Backend, M: Module<B>>(net: &M, names: &impl Names) -> BTreeMap<String, HostTensor> {
    let mut saver = Saver { names, path: Vec::new(), found: BTreeMap::new() };
    net.visit(&mut saver);
    saver.found
}

struct Saver<'a, N> {
    names: &'a N,
    path: Vec<String>,
    found: BTreeMap<String, HostTensor>,
}

impl<N: Names> Saver<'_, N> {
    fn insert(&mut self, tensor: HostTensor) {
        let (name, layout) = named(self.names, &self.path);
        self.found.insert(name, layout.write(tensor));
    }
}

impl<B: Backend, N: Names> ModuleVisitor<B> for Saver<'_, N> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.insert(on_host(param.val()));
    }
}

/// The gradients of the weights in the form of [`save`]; zero for a weight that the loss does not depend on.
pub(crate) fn gradients<B: AutodiffBackend, M: Module<B>>(
    net: &M,
    names: &impl Names,
    tape: B::Gradients,
) -> BTreeMap<String, HostTensor> {
    let saver = Saver { names, path: Vec::new(), found: BTreeMap::new() };
    let mut gradients = Gradients::<B, _> { tape, saver };
    net.visit(&mut gradients);
    gradients.saver.found
}

struct Gradients<'a, B: AutodiffBackend, N> {
    tape: B::Gradients,
    saver: Saver<'a, N>,
}

impl<B: AutodiffBackend, N: Names> ModuleVisitor<B> for Gradients<'_, B, N> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.saver.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.saver.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let value = param.val();
        let gradient = value.grad(&self.tape).unwrap_or_else(|| value.inner().zeros_like());
        self.saver.insert(on_host(gradient));
    }
}

fn named(names: &impl Names, path: &[String]) -> (String, Layout) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    names.of(&path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Dit, DitConfig, ImfDit, ImfDitConfig, SongUnet, UnetConfig,
        flax::{DitNames, ImfDitNames},
        init::Init,
        unet::{Encoder, UnetNames},
    };
    use burn::backend::Flex;
    use meanflow_core::Streams;

    fn round_trip<M: Module<Flex> + Clone>(fresh: &M, net: &M, names: &impl Names) {
        let weights = save(net, names);
        assert_eq!(weights.values().map(|w| w.values.len()).sum::<usize>(), net.num_params());
        assert_ne!(save(fresh, names), weights);
        assert_eq!(save(&load(fresh.clone(), names, &weights).unwrap(), names), weights);

        let (first, _) = weights.first_key_value().unwrap();
        let mut fewer = weights.clone();
        fewer.remove(first);
        assert_eq!(load(fresh.clone(), names, &fewer).err(), Some(WeightsError::Missing(first.clone())));
        let mut more = weights.clone();
        more.insert("zzz".to_owned(), weights[first].clone());
        assert_eq!(load(fresh.clone(), names, &more).err(), Some(WeightsError::Unused("zzz".to_owned())));
        let mut other = weights.clone();
        other.get_mut(first).unwrap().shape.push(1);
        assert!(matches!(load(fresh.clone(), names, &other), Err(WeightsError::Shape { .. })));
    }

    #[test]
    fn what_is_saved_can_be_loaded() {
        let device = Default::default();
        let (a, b) = (Streams::new(0), Streams::new(1));
        let inits = [Init::<Flex>::new(&a, &device), Init::new(&b, &device)];
        let unet = UnetConfig {
            width: 8,
            multipliers: vec![1, 2],
            blocks: 1,
            attention: vec![4],
            encoder: Encoder::Residual,
            augment: 6,
            ..UnetConfig::ddpmpp()
        };
        let [x, y] = inits.each_ref().map(|init| SongUnet::new(&unet, [3, 8, 8], Some(4), init));
        round_trip(&x, &y, &UnetNames::new(&unet, [3, 8, 8]));
        let dit = DitConfig { width: 16, heads: 2, depth: 2, ..DitConfig::preset("nano2").unwrap() };
        let [x, y] = inits.each_ref().map(|init| Dit::new(&dit, [3, 8, 8], Some(4), init));
        round_trip(&x, &y, &DitNames);
        let imf = ImfDitConfig { width: 16, heads: 2, depth: 2, ..ImfDitConfig::preset("nano2").unwrap() };
        let [x, y] = inits.each_ref().map(|init| ImfDit::new(&imf, [3, 8, 8], Some(4), init));
        round_trip(&x, &y, &ImfDitNames);
    }

    #[test]
    fn torch_names_of_what_the_reference_file_has_not() {
        let (device, streams) = (Default::default(), Streams::new(0));
        let config = UnetConfig { encoder: Encoder::Residual, ..UnetConfig::preset("nano").unwrap() };
        let net = SongUnet::<Flex>::new(&config, [3, 8, 8], Some(4), &Init::new(&streams, &device));
        let weights = save(&net, &UnetNames::new(&config, [3, 8, 8]));
        assert_eq!(weights["map_label.weight"].shape, [32, 4]);
        assert_eq!(weights["enc.4x4_aux_residual.weight"].shape, [16, 3, 3, 3]);
        assert!(weights.contains_key("enc.4x4_down.conv0.bias"));
    }
}
