//! A computation between Burn's operations and ONNX's messages: nodes with ONNX's operators, whose sizes are numbers (`i64`) in a
//! recording of one batch, and [`Size`]s where they are those of any.

use crate::error::Place;
use burn_backend::{DType, TensorData};
use std::collections::BTreeMap;

/// The number of a value, in the order in which a pass makes them.
pub(crate) type Value = usize;

/// A size of `per_row·batch + fixed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    pub(crate) per_row: i64,
    pub(crate) fixed: i64,
}

impl Size {
    /// The number, if the batch is not in it.
    pub(crate) fn known(self) -> Option<i64> {
        (self.per_row == 0).then_some(self.fixed)
    }
}

/// What goes into a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand<S> {
    /// A value.
    Value(Value),
    /// A vector of sizes, places or axes.
    Sizes(Vec<S>),
    /// One number of this type.
    Scalar(f64, DType),
    /// A vector of so many ones, the scale of a normalisation without weights.
    Ones(usize),
    /// None, where a later one is given.
    Absent,
}

/// An attribute of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f64),
    Text(&'static str),
}

/// An operation of ONNX.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node<S> {
    pub(crate) op: &'static str,
    pub(crate) inputs: Vec<Operand<S>>,
    pub(crate) output: Value,
    pub(crate) attributes: Vec<(&'static str, Attribute)>,
    /// Number of Burn's operation that it comes from.
    pub(crate) at: usize,
}

impl<S> Node<S> {
    /// The values that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Value> + '_ {
        self.inputs.iter().filter_map(|input| match input {
            Operand::Value(value) => Some(*value),
            _ => None,
        })
    }
}

/// Shape and type of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Info<S> {
    pub(crate) shape: Vec<S>,
    pub(crate) dtype: DType,
}

/// A computation.
#[derive(Debug)]
pub(crate) struct Graph<S> {
    pub(crate) nodes: Vec<Node<S>>,
    /// Of every value.
    pub(crate) infos: Vec<Info<S>>,
    pub(crate) constants: BTreeMap<Value, TensorData>,
    pub(crate) inputs: Vec<(String, Value)>,
    pub(crate) outputs: Vec<(String, Value)>,
    /// Paths of parameters.
    pub(crate) parameters: BTreeMap<Value, String>,
}

impl<S> Graph<S> {
    /// Where the operation of this number stands.
    pub(crate) fn place(&self, index: usize) -> Place {
        let before = self.nodes.iter().rev().filter(|node| node.at <= index);
        let parameter = before.flat_map(Node::reads).find_map(|value| self.parameters.get(&value));
        Place { index, parameter: parameter.cloned() }
    }

    /// Leaves out every node that no output needs, and the constants that none needs then.
    pub(crate) fn prune(&mut self) {
        let mut needed: Vec<bool> = vec![false; self.infos.len()];
        for (_, value) in &self.outputs {
            needed[*value] = true;
        }
        for node in self.nodes.iter().rev() {
            if needed[node.output] {
                node.reads().for_each(|value| needed[value] = true);
            }
        }
        self.nodes.retain(|node| needed[node.output]);
        self.constants.retain(|value, _| needed[*value]);
    }
}
