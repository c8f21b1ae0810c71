//! What the nodes of a file mean, in plain loops: for tests of files, without another program, and not for speed.
//!
//! Every number is kept in double precision and rounded to its own type after each node.

mod array;
mod layers;
mod shapes;

pub use array::Array;

use crate::{
    OnnxError,
    proto::{AttributeProto, DataType, ModelProto, NodeProto},
};
use std::collections::HashMap;

/// The outputs of a model, in the order of the file, for these inputs.
///
/// # Errors
/// [`OnnxError::File`] for an operator that this crate does not write, or an input or operand that is not there.
///
/// # Panics
/// If shapes disagree, which no runtime would take either.
pub fn evaluate(model: &ModelProto, inputs: &[(&str, Array)]) -> Result<Vec<Array>, OnnxError> {
    run(model, inputs, |_, _| ())
}

/// Multiplications in the matrix products and convolutions of a model, for these inputs; with zeros that pad an image.
///
/// # Errors
/// See [`evaluate`].
pub fn multiplications(model: &ModelProto, inputs: &[(&str, Array)]) -> Result<usize, OnnxError> {
    let mut count = 0;
    run(model, inputs, |operation, result| count += operation.multiplications(result))?;
    Ok(count)
}

/// Computes node after node; `watch` sees each with its result.
fn run(
    model: &ModelProto,
    inputs: &[(&str, Array)],
    mut watch: impl FnMut(&Operation, &Array),
) -> Result<Vec<Array>, OnnxError> {
    let missing = |name: &str| OnnxError::File(format!("there is no value `{name}`"));
    let graph = model.graph.as_ref().ok_or_else(|| OnnxError::File("it has no graph".to_owned()))?;
    let mut values: HashMap<&str, Array> = HashMap::new();
    for tensor in &graph.initializer {
        values.insert(&tensor.name, Array::of(tensor)?);
    }
    for (name, array) in inputs {
        values.insert(name, array.clone());
    }
    for node in &graph.node {
        let operands: Vec<Option<&Array>> = node
            .input
            .iter()
            .map(|name| {
                if name.is_empty() {
                    Ok(None)
                } else {
                    values.get(name.as_str()).map(Some).ok_or_else(|| missing(name))
                }
            })
            .collect::<Result<_, _>>()?;
        let operation = Operation { node, operands };
        let result = operation.result()?;
        watch(&operation, &result);
        values.insert(&node.output[0], result);
    }
    graph
        .output
        .iter()
        .map(|output| values.remove(output.name.as_str()).ok_or_else(|| missing(&output.name)))
        .collect()
}

/// A node with its operands.
struct Operation<'a> {
    node: &'a NodeProto,
    operands: Vec<Option<&'a Array>>,
}

impl<'a> Operation<'a> {
    /// The operand at this place.
    fn at(&self, place: usize) -> &'a Array {
        self.operands[place].expect("the operand is there")
    }

    /// The operand at this place as sizes.
    fn sizes(&self, place: usize) -> Vec<i64> {
        self.at(place).values.iter().map(|&value| value as i64).collect()
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    fn ints(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.attribute(name)?.ints.iter().map(|&number| number as usize).collect())
    }

    fn text(&self, name: &str) -> &'a str {
        let text = self.attribute(name).and_then(|attribute| attribute.s.as_deref());
        text.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// The attribute `axis`, from the end where it is negative.
    fn axis(&self, rank: usize) -> usize {
        let axis = self.int("axis", 0);
        (if axis < 0 { axis + rank as i64 } else { axis }) as usize
    }

    fn result(&self) -> Result<Array, OnnxError> {
        Ok(match self.node.op_type.as_str() {
            "Identity" => self.at(0).clone(),
            "Abs" => self.map(f64::abs),
            "Acos" => self.map(f64::acos),
            "Acosh" => self.map(f64::acosh),
            "Asin" => self.map(f64::asin),
            "Asinh" => self.map(f64::asinh),
            "Atan" => self.map(f64::atan),
            "Atanh" => self.map(f64::atanh),
            "Ceil" => self.map(f64::ceil),
            "Cos" => self.map(f64::cos),
            "Cosh" => self.map(f64::cosh),
            "Erf" => self.map(erf),
            "Exp" => self.map(f64::exp),
            "Floor" => self.map(f64::floor),
            "Log" => self.map(f64::ln),
            "Reciprocal" => self.map(f64::recip),
            "Round" => self.map(f64::round_ties_even),
            "Sigmoid" => self.map(|x| 1.0 / (1.0 + (-x).exp())),
            "Sin" => self.map(f64::sin),
            "Sinh" => self.map(f64::sinh),
            "Sqrt" => self.map(f64::sqrt),
            "Tan" => self.map(f64::tan),
            "Tanh" => self.map(f64::tanh),
            "IsNaN" => self.map(|x| x.is_nan().into()).of_type(DataType::Bool),
            "IsInf" => self.map(|x| x.is_infinite().into()).of_type(DataType::Bool),
            "Not" => self.map(|x| 1.0 - x),
            "Add" => self.pair(|x, y| x + y),
            "Sub" => self.pair(|x, y| x - y),
            "Mul" => self.pair(|x, y| x * y),
            "Div" => self.pair(|x, y| x / y),
            "Pow" => self.pair(f64::powf),
            "And" => self.pair(|x, y| x * y),
            "Or" => self.pair(f64::max),
            "Equal" => self.pair(|x, y| (x == y).into()).of_type(DataType::Bool),
            "Greater" => self.pair(|x, y| (x > y).into()).of_type(DataType::Bool),
            "GreaterOrEqual" => self.pair(|x, y| (x >= y).into()).of_type(DataType::Bool),
            "Less" => self.pair(|x, y| (x < y).into()).of_type(DataType::Bool),
            "LessOrEqual" => self.pair(|x, y| (x <= y).into()).of_type(DataType::Bool),
            "Clip" => {
                let (low, high) = (self.at(1).values[0], self.at(2).values[0]);
                self.map(|x| x.max(low).min(high))
            }
            "Cast" => {
                let to = DataType::try_from(self.int("to", 0) as i32).unwrap_or_default();
                self.at(0).clone().of_type(to)
            }
            "Where" => {
                let (condition, yes, no) = (self.at(0), self.at(1), self.at(2));
                let picked = Array::zip(condition, yes, |c, x| if c == 0.0 { f64::NAN } else { x });
                let all = Array::zip(&picked, no, |_, y| y);
                let (condition, yes) = (condition.expanded(&all.shape), yes.expanded(&all.shape));
                let choice =
                    |i: usize| if condition.values[i] == 0.0 { all.values[i] } else { yes.values[i] };
                let values = (0..all.values.len()).map(choice).collect();
                Array { shape: all.shape.clone(), kind: yes.kind, values }
            }
            "ReduceMean" => self.reduce(0.0, |sum, x| sum + x, |sum, n| sum / n as f64),
            "ReduceSum" => self.reduce(0.0, |sum, x| sum + x, |sum, _| sum),
            "ReduceProd" => self.reduce(1.0, |product, x| product * x, |product, _| product),
            "ReduceMax" => self.reduce(f64::NEG_INFINITY, f64::max, |max, _| max),
            "ReduceMin" => self.reduce(f64::INFINITY, f64::min, |min, _| min),
            "Reshape" => self.reshape(),
            "Expand" => self.expand(),
            "Transpose" => self.transpose(),
            "Slice" => self.slice(),
            "Gather" => self.gather(),
            "GatherElements" => self.gather_elements(),
            "Concat" => self.concat(),
            "Tile" => self.tile(),
            "Shape" => self.shape(),
            "MatMul" => layers::matmul(self.at(0), self.at(1)),
            "Gemm" => {
                let product = layers::matmul(self.at(0), self.at(1));
                Array::zip(&product, self.at(2), |x, y| x + y).rounded()
            }
            "Softmax" => self.softmax(),
            "LayerNormalization" => self.layer_norm(),
            "Conv" => self.conv(),
            "ConvTranspose" => self.conv_transpose(),
            "AveragePool" => self.pool(true),
            "MaxPool" => self.pool(false),
            "Resize" => self.resize(),
            other => return Err(OnnxError::File(format!("the operator `{other}` is none of this crate's"))),
        })
    }

    fn multiplications(&self, result: &Array) -> usize {
        match self.node.op_type.as_str() {
            "MatMul" | "Gemm" => result.values.len() * self.at(0).shape.last().copied().unwrap_or(1),
            "Conv" => result.values.len() * self.at(1).shape[1..].iter().product::<usize>(),
            "ConvTranspose" => self.at(0).values.len() * self.at(1).shape[1..].iter().product::<usize>(),
            _ => 0,
        }
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Array {
        let x = self.at(0);
        Array { shape: x.shape.clone(), kind: x.kind, values: x.values.iter().map(|&x| f(x)).collect() }
            .rounded()
    }

    fn pair(&self, f: impl Fn(f64, f64) -> f64) -> Array {
        Array::zip(self.at(0), self.at(1), f).rounded()
    }
}

/// The error function, by its series near 0 and a continued fraction beyond, to about 1e-15.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 2.5 {
        let mut term = a;
        let sum = (1..80).fold(a, |sum, n| {
            term *= -a * a / f64::from(n);
            sum + term / f64::from(2 * n + 1)
        });
        return (2.0 / std::f64::consts::PI.sqrt() * sum).copysign(x);
    }
    let fraction = (1..60).rev().fold(a, |tail, n| a + f64::from(n) / 2.0 / tail);
    (1.0 - (-a * a).exp() / (std::f64::consts::PI.sqrt() * fraction)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::erf;

    /// Abramowitz and Stegun, table 7.1.
    #[test]
    fn the_error_function_is_that_of_the_table() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_8),
            (-1.0, -0.842_700_792_9),
            (2.0, 0.995_322_265_0),
            (3.0, 0.999_977_909_5),
        ] {
            assert!((erf(x) - expected).abs() < 1e-10, "{x}: {}", erf(x));
        }
    }
}
