//! Parameters out of a module and back, so that nothing else holds them while they are updated.

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Tensor, TensorPrimitive, backend::Backend, ops::FloatTensor},
};

/// `module` without its parameters, and these in their order.
pub(crate) fn take<B: Backend, M: Module<B>>(module: M) -> (M, Vec<FloatTensor<B>>) {
    let mut take = Take { place: None, tensors: Vec::new() };
    let module = module.map(&mut take);
    (module, take.tensors)
}

/// The module that [`take`] left, with parameters in their order.
pub(crate) fn give<B: Backend, M: Module<B>>(module: M, tensors: Vec<FloatTensor<B>>) -> M {
    module.map(&mut Give { tensors: tensors.into_iter() })
}

struct Take<B: Backend> {
    /// What stands in for every parameter, whatever its rank: nothing reads it.
    place: Option<FloatTensor<B>>,
    tensors: Vec<FloatTensor<B>>,
}

impl<B: Backend> ModuleMapper<B> for Take<B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        let one = || Tensor::<B, 1>::empty([1], &tensor.device()).into_primitive().tensor();
        let place = self.place.get_or_insert_with(one).clone();
        self.tensors.push(tensor.into_primitive().tensor());
        Param::from_mapped_value(id, Tensor::from_primitive(TensorPrimitive::Float(place)), mapper)
    }
}

struct Give<B: Backend> {
    tensors: std::vec::IntoIter<FloatTensor<B>>,
}

impl<B: Backend> ModuleMapper<B> for Give<B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, _place, mapper) = param.consume();
        let tensor = self.tensors.next().expect("a tensor a parameter");
        Param::from_mapped_value(id, Tensor::from_primitive(TensorPrimitive::Float(tensor)), mapper)
    }
}
