//! From Burn's operations to ONNX's nodes, for one batch; one file a family of operations.

mod base;
mod float;
mod module;
mod numeric;

use crate::{
    ends::Ends,
    error::{OnnxError, Place},
    graph::{Attribute, Graph, Info, Node, Operand, Value},
};
use burn_backend::{DType, TensorData};
use burn_ir::{BoolOperationIr, IntOperationIr, OperationIr, ScalarIr, TensorId, TensorIr};
use core::fmt::Debug;
use std::collections::{BTreeMap, HashMap};

/// Why there is no node for an operation.
pub(crate) enum Refusal {
    /// It is not mapped; the operation and what of it is in the way.
    Unmapped(String, &'static str),
    /// It draws random numbers.
    Random,
    /// A tensor is not of this recording.
    Foreign,
}

/// The refusal of an operation of an enum of Burn's, which is named by its variant.
pub(crate) fn unmapped(operation: &impl Debug, reason: &'static str) -> Refusal {
    let text = format!("{operation:?}");
    Refusal::Unmapped(text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned(), reason)
}

/// The reason for operations that nobody has mapped.
pub(crate) const NO_MAPPING: &str = "no mapping was made";

/// The nodes of a recording, and only those that the outputs need.
pub(crate) fn lower(
    operations: Vec<OperationIr>,
    constants: HashMap<TensorId, TensorData>,
    ends: Ends,
) -> Result<Graph<i64>, OnnxError> {
    let graph = Graph {
        nodes: Vec::new(),
        infos: Vec::new(),
        constants: BTreeMap::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        parameters: BTreeMap::new(),
    };
    let mut lower = Lower { graph, values: HashMap::new(), at: 0 };
    for (name, tensor) in ends.inputs {
        let value = lower.define(&tensor);
        lower.graph.inputs.push((name, value));
    }
    // In the order of making, which is the same for every batch.
    let mut constants: Vec<_> = constants.into_iter().collect();
    constants.sort_by_key(|(id, _)| id.value());
    for (id, data) in constants {
        let value = lower.value(data.shape.to_vec(), data.dtype);
        lower.values.insert(id, value);
        match repeated(&data) {
            Some(number) => {
                let shape = Operand::Sizes(data.shape.iter().map(|&size| size as i64).collect());
                lower.node("Expand", vec![Operand::Scalar(number, data.dtype), shape], value, Vec::new());
            }
            None => {
                lower.graph.constants.insert(value, data);
            }
        }
    }
    for (id, path) in ends.parameters {
        if let Some(&value) = lower.values.get(&id) {
            lower.graph.parameters.insert(value, path);
        }
    }
    let needed = needed(&operations, &ends.outputs);
    for (at, operation) in operations.iter().enumerate().filter(|(at, _)| needed[*at]) {
        lower.at = at;
        lower.operation(operation).map_err(|refusal| lower.told(refusal))?;
    }
    lower.at = operations.len();
    for (name, tensor) in ends.outputs {
        let value = lower.read(&tensor).map_err(|refusal| lower.told(refusal))?;
        lower.graph.outputs.push((name, value));
    }
    lower.graph.prune();
    Ok(lower.graph)
}

/// The integer that a constant consists of: Burn fills tensors of integers on the host, and such a one may have any batch.
fn repeated(data: &TensorData) -> Option<f64> {
    if !data.dtype.is_int() {
        return None;
    }
    let mut values = data.iter::<i64>();
    let first = values.next()?;
    values.all(|value| value == first).then_some(first as f64)
}

/// Which operations the outputs come from.
fn needed(operations: &[OperationIr], outputs: &[(String, TensorIr)]) -> Vec<bool> {
    let mut wanted: std::collections::HashSet<TensorId> =
        outputs.iter().map(|(_, tensor)| tensor.id).collect();
    let mut needed = vec![false; operations.len()];
    for (operation, needed) in operations.iter().zip(&mut needed).rev() {
        if operation.outputs().any(|tensor| wanted.contains(&tensor.id)) {
            *needed = true;
            wanted.extend(operation.inputs().map(|tensor| tensor.id));
        }
    }
    needed
}

/// A recording on its way.
pub(crate) struct Lower {
    graph: Graph<i64>,
    values: HashMap<TensorId, Value>,
    /// Number of the operation at hand.
    at: usize,
}

type Done = Result<(), Refusal>;

impl Lower {
    fn operation(&mut self, operation: &OperationIr) -> Done {
        match operation {
            OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
                self.base(op)
            }
            OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => self.numeric(op),
            OperationIr::Float(_, op) => self.float(op),
            OperationIr::Module(op) => self.module(op),
            OperationIr::Int(IntOperationIr::IntoFloat(op)) => self.cast(&op.input, &op.out),
            OperationIr::Bool(BoolOperationIr::IntoFloat(op) | BoolOperationIr::IntoInt(op)) => {
                self.cast(&op.input, &op.out)
            }
            OperationIr::Bool(BoolOperationIr::Not(op)) => self.simple("Not", &[&op.input], &op.out),
            OperationIr::Bool(BoolOperationIr::And(op)) => self.simple("And", &[&op.lhs, &op.rhs], &op.out),
            OperationIr::Bool(BoolOperationIr::Or(op)) => self.simple("Or", &[&op.lhs, &op.rhs], &op.out),
            OperationIr::Int(op) => Err(unmapped(op, NO_MAPPING)),
            other => Err(unmapped(other, NO_MAPPING)),
        }
    }

    fn told(&self, refusal: Refusal) -> OnnxError {
        let place: Place = self.graph.place(self.at);
        match refusal {
            Refusal::Unmapped(operation, reason) => OnnxError::Unmapped { operation, reason, place },
            Refusal::Random => OnnxError::Random { place },
            Refusal::Foreign => OnnxError::Foreign(place),
        }
    }

    /// A new value.
    fn value(&mut self, shape: Vec<usize>, dtype: DType) -> Value {
        let shape = shape.into_iter().map(|size| size as i64).collect();
        self.graph.infos.push(Info { shape, dtype });
        self.graph.infos.len() - 1
    }

    /// The new value of this tensor.
    fn define(&mut self, tensor: &TensorIr) -> Value {
        let value = self.value(tensor.shape.to_vec(), tensor.dtype);
        self.values.insert(tensor.id, value);
        value
    }

    /// The value of a tensor that was made before.
    fn read(&self, tensor: &TensorIr) -> Result<Value, Refusal> {
        self.values.get(&tensor.id).copied().ok_or(Refusal::Foreign)
    }

    /// The same as an operand.
    fn operand(&self, tensor: &TensorIr) -> Result<Operand<i64>, Refusal> {
        Ok(Operand::Value(self.read(tensor)?))
    }

    fn node(
        &mut self,
        op: &'static str,
        inputs: Vec<Operand<i64>>,
        output: Value,
        attributes: Vec<(&'static str, Attribute)>,
    ) {
        self.graph.nodes.push(Node { op, inputs, output, attributes, at: self.at });
    }

    /// A node whose result is the tensor `out`.
    fn make(
        &mut self,
        op: &'static str,
        inputs: Vec<Operand<i64>>,
        out: &TensorIr,
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Done {
        let output = self.define(out);
        self.node(op, inputs, output, attributes);
        Ok(())
    }

    /// A node whose result is a value between operations, of the shape and type of `like`, as an operand.
    fn between(&mut self, op: &'static str, inputs: Vec<Operand<i64>>, like: &TensorIr) -> Operand<i64> {
        let output = self.value(like.shape.to_vec(), like.dtype);
        self.node(op, inputs, output, Vec::new());
        Operand::Value(output)
    }

    /// A node of tensors alone.
    fn simple(&mut self, op: &'static str, inputs: &[&TensorIr], out: &TensorIr) -> Done {
        let inputs = inputs.iter().map(|tensor| self.operand(tensor)).collect::<Result<_, _>>()?;
        self.make(op, inputs, out, Vec::new())
    }

    /// A node of a tensor and a number of the tensor's type.
    fn with_scalar(&mut self, op: &'static str, x: &TensorIr, number: ScalarIr, out: &TensorIr) -> Done {
        let inputs = vec![self.operand(x)?, scalar(number, x.dtype)];
        self.make(op, inputs, out, Vec::new())
    }

    /// The tensor in another type; in its own it is the same value.
    fn cast(&mut self, input: &TensorIr, out: &TensorIr) -> Done {
        let value = self.read(input)?;
        if input.dtype == out.dtype {
            self.values.insert(out.id, value);
            return Ok(());
        }
        let to = crate::model::data_type(out.dtype)
            .map_err(|_| Refusal::Unmapped("Cast".to_owned(), "ONNX does not know the type"))?;
        self.make("Cast", vec![Operand::Value(value)], out, vec![("to", Attribute::Int(to as i64))])
    }
}

/// A number of Burn's as an operand of this type.
pub(crate) fn scalar(number: ScalarIr, dtype: DType) -> Operand<i64> {
    let number = match number {
        ScalarIr::Float(x) => x,
        ScalarIr::Int(x) => x as f64,
        ScalarIr::UInt(x) => x as f64,
        ScalarIr::Bool(x) => f64::from(u8::from(x)),
    };
    Operand::Scalar(number, dtype)
}

pub(crate) fn ints(numbers: &[usize]) -> Attribute {
    Attribute::Ints(numbers.iter().map(|&number| number as i64).collect())
}
