//! The state of an optimizer as named host tensors, and back.

use burn::{
    module::{AutodiffModule, ParamId},
    optim::{Optimizer, SimpleOptimizer, adaptor::OptimizerAdaptor, record::AdaptorRecord},
    tensor::{
        DType, Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_state::{Named, ParamVisitor, StateError, fits, visit_parameters};

/// An optimizer whose state of one parameter can be stored under the parameter's path.
pub(crate) trait Stored<B: Backend>: SimpleOptimizer<B> {
    /// Stores the state of the parameter `name` under `<kind>.<name>`.
    fn store<const D: usize>(state: Self::State<D>, name: &str, to: &mut Named);

    /// The stored state of a parameter of the shape of `like`; `None` if there is none, as for one that never had a gradient.
    fn restore<const D: usize>(
        like: &Tensor<B, D>,
        slots: &mut Slots,
    ) -> Result<Option<Self::State<D>>, StateError>;
}

/// What is stored for one parameter.
pub(crate) struct Slots<'a> {
    name: &'a str,
    state: &'a mut Named,
}

impl<'a> Slots<'a> {
    /// Those of the parameter `name`.
    pub fn of(name: &'a str, state: &'a mut Named) -> Self {
        Self { name, state }
    }

    /// The counter `<kind>.<name>`.
    pub fn count(&mut self, kind: &str) -> Result<Option<usize>, StateError> {
        let key = format!("{kind}.{}", self.name);
        let Some(data) = self.state.remove(&key) else { return Ok(None) };
        fits(&key, &data, &[1], DType::I64)?;
        Ok(data.iter::<i64>().next().map(|count| count as usize))
    }

    /// The tensor `<kind>.<name>`, of the shape and type of the parameter.
    pub fn tensor<B: Backend, const D: usize>(
        &mut self,
        kind: &str,
        like: &Tensor<B, D>,
    ) -> Result<Option<Tensor<B, D>>, StateError> {
        let key = format!("{kind}.{}", self.name);
        let Some(data) = self.state.remove(&key) else { return Ok(None) };
        fits(&key, &data, &like.dims(), like.dtype())?;
        Ok(Some(Tensor::from_data(data, (&like.device(), like.dtype()))))
    }

    /// A tensor that must be there.
    pub fn need<B: Backend, const D: usize>(
        &mut self,
        kind: &str,
        like: &Tensor<B, D>,
    ) -> Result<Tensor<B, D>, StateError> {
        self.tensor(kind, like)?.ok_or_else(|| StateError::Missing(format!("{kind}.{}", self.name)))
    }
}

type Records<O, B> =
    <OptimizerAdaptor<O, burn::nn::Linear<B>, B> as Optimizer<burn::nn::Linear<B>, B>>::Record;

/// Adds the state of `optim` to `state`.
pub(crate) fn store<B, O, M>(optim: &OptimizerAdaptor<O, M, B>, module: &M, state: &mut Named)
where
    B: AutodiffBackend,
    O: Stored<B::InnerBackend>,
    M: AutodiffModule<B>,
{
    visit_parameters(module, &mut Store::<O, B> { records: optim.to_record(), state });
}

struct Store<'a, O: SimpleOptimizer<B::InnerBackend>, B: AutodiffBackend> {
    records: Records<O, B>,
    state: &'a mut Named,
}

impl<O: Stored<B::InnerBackend>, B: AutodiffBackend> ParamVisitor<B> for Store<'_, O, B> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, _tensor: Tensor<B, D>) {
        // A parameter that never had a gradient has no state.
        if let Some(record) = self.records.remove(&id) {
            O::store(record.into_state::<D>(), &name, self.state);
        }
    }
}

/// `optim` with what [`store`] stored, which is removed from `state`.
pub(crate) fn restore<B, O, M>(
    optim: OptimizerAdaptor<O, M, B>,
    module: &M,
    state: &mut Named,
) -> Result<OptimizerAdaptor<O, M, B>, StateError>
where
    B: AutodiffBackend,
    O: Stored<B::InnerBackend>,
    M: AutodiffModule<B>,
{
    let mut restore = Restore::<O, B> { records: Records::<O, B>::default(), state, problem: None };
    visit_parameters(module, &mut restore);
    match restore.problem {
        Some(problem) => Err(problem),
        None => Ok(optim.load_record(restore.records)),
    }
}

struct Restore<'a, O: SimpleOptimizer<B::InnerBackend>, B: AutodiffBackend> {
    records: Records<O, B>,
    state: &'a mut Named,
    problem: Option<StateError>,
}

impl<O: Stored<B::InnerBackend>, B: AutodiffBackend> ParamVisitor<B> for Restore<'_, O, B> {
    fn visit<const D: usize>(&mut self, name: String, id: ParamId, tensor: Tensor<B, D>) {
        match O::restore(&tensor.inner(), &mut Slots::of(&name, self.state)) {
            Ok(Some(state)) => {
                self.records.insert(id, AdaptorRecord::from_state(state));
            }
            Ok(None) => {}
            Err(problem) => {
                self.problem.get_or_insert(problem);
            }
        }
    }
}
