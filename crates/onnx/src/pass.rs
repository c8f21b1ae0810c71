//! One forward pass, as the caller writes it.

use crate::{
    OnnxError,
    ends::Ends,
    graph::Graph,
    lower,
    tape::{Recorder, RecorderDevice, Taken},
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Bool, Int, Tensor, TensorPrimitive},
};
use burn_backend::{DType, Shape};
use burn_ir::{TensorId, TensorIr};
use std::collections::HashMap;

/// One forward pass on the recording backend, with so many rows.
///
/// It is handed to the closure of [`export`](crate::export): make the module on [`device`](Self::device), take inputs, compute, and
/// name the outputs.
#[derive(Debug)]
pub struct Pass {
    batch: usize,
    device: RecorderDevice,
    ends: Ends,
}

impl Pass {
    /// Records what `forward` does with `batch` rows.
    pub(crate) fn record<E: From<OnnxError>>(
        batch: usize,
        forward: &mut impl FnMut(&mut Pass) -> Result<(), E>,
    ) -> Result<Graph<i64>, E> {
        let device = RecorderDevice::fresh();
        device.take();
        let mut pass = Self { batch, device, ends: Ends::default() };
        let done = forward(&mut pass);
        // Whatever became of it, nothing stays in the client, which lives as long as the process.
        let Taken { operations, constants, read } = pass.device.take();
        done?;
        if let Some(at) = read {
            return Err(OnnxError::Read(at).into());
        }
        Ok(lower::lower(operations, constants, pass.ends)?)
    }

    /// How many rows there are. The pass is called with different ones, and the file takes any.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The device to make modules and constants on.
    pub fn device(&self) -> &RecorderDevice {
        &self.device
    }

    /// Tells the names of the parameters of a module: constants of the file are called by their paths, and errors say near which an
    /// operation is.
    pub fn parameters<M: Module<Recorder>>(&mut self, module: &M) {
        module.visit(&mut Paths { path: Vec::new(), parameters: &mut self.ends.parameters });
    }

    /// An input of floats in single precision.
    pub fn float<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Tensor<Recorder, D> {
        let tensor = self.device.empty(Shape::from(shape), DType::F32);
        self.ends.inputs.push((name.to_owned(), tensor.clone().into_ir()));
        Tensor::from_primitive(TensorPrimitive::Float(tensor))
    }

    /// An input of 64-bit integers.
    pub fn int<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Tensor<Recorder, D, Int> {
        let tensor = self.device.empty(Shape::from(shape), DType::I64);
        self.ends.inputs.push((name.to_owned(), tensor.clone().into_ir()));
        Tensor::from_primitive(tensor)
    }

    /// An output of floats.
    pub fn output<const D: usize>(&mut self, name: &str, tensor: Tensor<Recorder, D>) {
        self.ends.outputs.push((name.to_owned(), tensor.into_primitive().tensor().into_ir()));
    }

    /// An output of integers, of the type that they have.
    pub fn output_int<const D: usize>(&mut self, name: &str, tensor: Tensor<Recorder, D, Int>) {
        self.ends.outputs.push((name.to_owned(), tensor.into_primitive().into_ir()));
    }
}

/// Notes the path of every parameter that a module has.
struct Paths<'a> {
    path: Vec<String>,
    parameters: &'a mut HashMap<TensorId, String>,
}

impl Paths<'_> {
    fn note(&mut self, tensor: TensorIr) {
        self.parameters.insert(tensor.id, self.path.join("."));
    }
}

impl ModuleVisitor<Recorder> for Paths<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Recorder, D>>) {
        self.note(param.val().into_primitive().tensor().into_ir());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<Recorder, D, Int>>) {
        self.note(param.val().into_primitive().into_ir());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<Recorder, D, Bool>>) {
        self.note(param.val().into_primitive().into_ir());
    }
}
