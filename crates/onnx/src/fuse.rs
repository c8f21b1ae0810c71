//! What Burn spells out becomes one node again: sigmoid, softmax, layer normalisation; and what does nothing goes.

use crate::graph::{Attribute, Graph, Node, Operand, Size, Value};
use std::collections::HashMap;

/// Rewrites the nodes until nothing changes any more.
pub(crate) fn fuse(graph: &mut Graph<Size>) {
    let mut passes = 0;
    loop {
        let view = View::of(graph);
        let found = (0..graph.nodes.len()).find_map(|index| {
            let node = &graph.nodes[index];
            let rules = [View::nothing, View::reshaped, View::sigmoid, View::softmax, View::layer_norm];
            Some((index, rules.iter().find_map(|rule| rule(&view, node))?))
        });
        let Some((index, change)) = found else { break };
        apply(graph, index, change);
        passes += 1;
        debug_assert!(passes < 1 << 20, "the rules undo each other");
    }
    graph.prune();
}

/// What becomes of a node.
enum Change {
    /// Another node in its place.
    Node(&'static str, Vec<Operand<Size>>, Vec<(&'static str, Attribute)>),
    /// Its result is this value.
    Same(Value),
}

fn apply(graph: &mut Graph<Size>, index: usize, change: Change) {
    match change {
        Change::Node(op, inputs, attributes) => {
            let node = &mut graph.nodes[index];
            *node = Node { op, inputs, attributes, output: node.output, at: node.at };
        }
        Change::Same(value) => {
            let gone = graph.nodes.remove(index).output;
            for input in graph.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
                if *input == Operand::Value(gone) {
                    *input = Operand::Value(value);
                }
            }
        }
    }
    graph.prune();
}

/// The nodes as the rules look at them: by what they make.
struct View<'a> {
    graph: &'a Graph<Size>,
    makers: HashMap<Value, &'a Node<Size>>,
}

impl<'a> View<'a> {
    fn of(graph: &'a Graph<Size>) -> Self {
        Self { graph, makers: graph.nodes.iter().map(|node| (node.output, node)).collect() }
    }

    /// The node that makes this operand, if it is an `op`.
    fn maker(&self, operand: &Operand<Size>, op: &str) -> Option<&'a Node<Size>> {
        let Operand::Value(value) = operand else { return None };
        self.makers.get(value).copied().filter(|node| node.op == op)
    }

    /// The other operand of a node `op` whose second one is this number.
    fn by_number(&self, operand: &Operand<Size>, op: &str, number: f64) -> Option<&'a Operand<Size>> {
        let node = self.maker(operand, op)?;
        matches!(node.inputs[1], Operand::Scalar(x, _) if x == number).then_some(&node.inputs[0])
    }

    /// The number that an operand is everywhere.
    fn number(&self, operand: &Operand<Size>) -> Option<f64> {
        match operand {
            Operand::Scalar(number, _) => Some(*number),
            Operand::Value(_) => {
                ["Expand", "Reshape"].iter().find_map(|op| self.number(&self.maker(operand, op)?.inputs[0]))
            }
            _ => None,
        }
    }

    fn shape(&self, value: Value) -> &'a [Size] {
        &self.graph.infos[value].shape
    }

    /// `x·1`, `x/1`, `x + 0`, `x − 0` of a shape that does not grow by it, and a reshape to the shape that is there.
    fn nothing(&self, node: &Node<Size>) -> Option<Change> {
        let output = |(_, value): &(String, Value)| *value == node.output;
        let Some(Operand::Value(x)) = node.inputs.first() else { return None };
        let neutral = match node.op {
            "Mul" | "Div" => self.number(&node.inputs[1])? == 1.0,
            "Add" | "Sub" => self.number(&node.inputs[1])? == 0.0,
            "Reshape" | "Expand" => true,
            _ => false,
        };
        let same = self.shape(*x) == self.shape(node.output);
        (neutral && same && !self.graph.outputs.iter().any(output)).then_some(Change::Same(*x))
    }

    /// A reshape of a reshape.
    fn reshaped(&self, node: &Node<Size>) -> Option<Change> {
        if node.op != "Reshape" {
            return None;
        }
        let before = self.maker(&node.inputs[0], "Reshape")?;
        Some(Change::Node("Reshape", vec![before.inputs[0].clone(), node.inputs[1].clone()], Vec::new()))
    }

    /// `exp(−log(exp(−x) + 1))`.
    fn sigmoid(&self, node: &Node<Size>) -> Option<Change> {
        if node.op != "Exp" {
            return None;
        }
        let negative = self.by_number(&node.inputs[0], "Mul", -1.0)?;
        let inner = self.by_number(&self.maker(negative, "Log")?.inputs[0], "Add", 1.0)?;
        let x = self.by_number(&self.maker(inner, "Exp")?.inputs[0], "Mul", -1.0)?;
        Some(Change::Node("Sigmoid", vec![x.clone()], Vec::new()))
    }

    /// `e/sum(e)` with `e = exp(x − max(x))`, along one axis.
    fn softmax(&self, node: &Node<Size>) -> Option<Change> {
        if node.op != "Div" {
            return None;
        }
        let sum = self.maker(&node.inputs[1], "ReduceSum")?;
        let exp = self.maker(&node.inputs[0], "Exp")?;
        let shifted = self.maker(&exp.inputs[0], "Sub")?;
        let max = self.maker(&shifted.inputs[1], "ReduceMax")?;
        let axis = single_axis(max)?;
        let fits = sum.inputs[0] == node.inputs[0]
            && single_axis(sum) == Some(axis)
            && max.inputs[0] == shifted.inputs[0];
        let attributes = vec![("axis", Attribute::Int(axis))];
        fits.then(|| Change::Node("Softmax", vec![shifted.inputs[0].clone()], attributes))
    }

    /// `c/√(mean(c²) + ε)`, or `c·(1/√(…))`, with `c = x − mean(x)`, along the last axis.
    fn layer_norm(&self, node: &Node<Size>) -> Option<Change> {
        let (centred, root) = match node.op {
            "Div" => (&node.inputs[0], &node.inputs[1]),
            "Mul" => (&node.inputs[0], &self.maker(&node.inputs[1], "Reciprocal")?.inputs[0]),
            _ => return None,
        };
        let sum = self.maker(&self.maker(root, "Sqrt")?.inputs[0], "Add")?;
        let Operand::Scalar(epsilon, _) = sum.inputs[1] else { return None };
        let variance = self.maker(&sum.inputs[0], "ReduceMean")?;
        let square = self.maker(&variance.inputs[0], "Mul")?;
        let difference = self.maker(centred, "Sub")?;
        let mean = self.maker(&difference.inputs[1], "ReduceMean")?;
        let Operand::Value(x) = difference.inputs[0] else { return None };
        let last = self.shape(x).len() as i64 - 1;
        let fits = square.inputs[0] == *centred
            && square.inputs[1] == *centred
            && mean.inputs[0] == difference.inputs[0]
            && [single_axis(variance), single_axis(mean)] == [Some(last); 2];
        let width = usize::try_from(self.shape(x)[last as usize].known()?).ok()?;
        let attributes = vec![("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(epsilon))];
        let inputs = vec![difference.inputs[0].clone(), Operand::Ones(width)];
        fits.then_some(Change::Node("LayerNormalization", inputs, attributes))
    }
}

/// The axis of a reduction along one.
fn single_axis(node: &Node<Size>) -> Option<i64> {
    match node.inputs.get(1)? {
        Operand::Sizes(axes) if axes.len() == 1 => axes[0].known(),
        _ => None,
    }
}
