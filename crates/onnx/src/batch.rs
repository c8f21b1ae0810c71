//! From recordings of several batches to one computation of any: what is equal in all stays, and a size that differs becomes
//! `per_row·batch + fixed`.

use crate::{
    error::OnnxError,
    graph::{Graph, Info, Node, Operand, Size},
};

/// The batches that are recorded. Two decide every size and the third must agree; none is 1, which broadcasts.
pub(crate) const BATCHES: [usize; 3] = [2, 3, 5];

/// One computation of the three.
pub(crate) fn merge([first, second, third]: [Graph<i64>; 3]) -> Result<Graph<Size>, OnnxError> {
    let differs = |what, at| Err(OnnxError::Differs { what, place: first.place(at) });
    for other in [&second, &third] {
        let names = |graph: &Graph<i64>| {
            let ends = graph.inputs.iter().chain(&graph.outputs);
            ends.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        if names(&first) != names(other) {
            return differs("the names of the inputs and outputs", 0);
        }
        for (ours, theirs) in first.nodes.iter().zip(&other.nodes) {
            if ours.op != theirs.op || ours.output != theirs.output {
                return differs("the operation", ours.at);
            }
            if ours.attributes != theirs.attributes {
                return differs("an attribute", ours.at);
            }
        }
        if first.nodes.len() != other.nodes.len() || first.infos.len() != other.infos.len() {
            let at = first.nodes.len().min(other.nodes.len()).saturating_sub(1);
            return differs("the number of operations", first.nodes.get(at).map_or(0, |node| node.at));
        }
        if first.outputs != other.outputs {
            return differs("an output", first.nodes.last().map_or(0, |node| node.at));
        }
        let constants = first.constants.iter().zip(&other.constants);
        if let Some((ours, _)) = constants.into_iter().find(|(ours, theirs)| ours != theirs) {
            return Err(OnnxError::Constant { shape: ours.1.shape.to_vec() });
        }
    }
    let fit = |at: usize, sizes: [i64; 3]| {
        let error =
            || OnnxError::Size { sizes: sizes.to_vec(), batches: BATCHES.to_vec(), place: first.place(at) };
        size(sizes).ok_or_else(error)
    };
    let mut nodes = Vec::with_capacity(first.nodes.len());
    for ((a, b), c) in first.nodes.iter().zip(&second.nodes).zip(&third.nodes) {
        let mut inputs = Vec::with_capacity(a.inputs.len());
        if a.inputs.len() != b.inputs.len() || a.inputs.len() != c.inputs.len() {
            return differs("the number of operands", a.at);
        }
        for operands in a.inputs.iter().zip(&b.inputs).zip(&c.inputs) {
            let ((a_input, b_input), c_input) = operands;
            inputs.push(match (a_input, b_input, c_input) {
                (Operand::Sizes(x), Operand::Sizes(y), Operand::Sizes(z))
                    if x.len() == y.len() && x.len() == z.len() =>
                {
                    let all = x.iter().zip(y).zip(z);
                    Operand::Sizes(all.map(|((x, y), z)| fit(a.at, [*x, *y, *z])).collect::<Result<_, _>>()?)
                }
                (Operand::Value(x), _, _) if a_input == b_input && a_input == c_input => Operand::Value(*x),
                (Operand::Scalar(x, dtype), _, _) if a_input == b_input && a_input == c_input => {
                    Operand::Scalar(*x, *dtype)
                }
                (Operand::Absent, Operand::Absent, Operand::Absent) => Operand::Absent,
                _ => return differs("an operand", a.at),
            });
        }
        let attributes = a.attributes.clone();
        nodes.push(Node { op: a.op, inputs, output: a.output, attributes, at: a.at });
    }
    let mut infos = Vec::with_capacity(first.infos.len());
    for ((a, b), c) in first.infos.iter().zip(&second.infos).zip(&third.infos) {
        // A value that nothing needs may be of any size.
        let all = a.shape.iter().zip(&b.shape).zip(&c.shape);
        let shape = all.map(|((x, y), z)| size([*x, *y, *z]).unwrap_or(Size { per_row: 0, fixed: *x }));
        infos.push(Info { shape: shape.collect(), dtype: a.dtype });
    }
    for (name, value) in first.inputs.iter().chain(&first.outputs) {
        let shapes = [&first, &second, &third].map(|graph| &graph.infos[*value].shape);
        let fits = (0..shapes[0].len()).all(|axis| size(shapes.map(|shape| shape[axis])).is_some());
        if !fits {
            return Err(OnnxError::Names(format!("{name} has a size that is no multiple of the batch")));
        }
    }
    let Graph { constants, inputs, outputs, parameters, .. } = first;
    Ok(Graph { nodes, infos, constants, inputs, outputs, parameters })
}

/// The size that is this at [`BATCHES`], if there is one.
fn size(sizes: [i64; 3]) -> Option<Size> {
    let [a, b, c] = BATCHES.map(|batch| batch as i64);
    let (rise, run) = (sizes[1].checked_sub(sizes[0])?, b - a);
    let per_row = (rise % run == 0).then_some(rise / run)?;
    let fixed = sizes[0].checked_sub(per_row.checked_mul(a)?)?;
    (per_row.checked_mul(c)?.checked_add(fixed)? == sizes[2]).then_some(Size { per_row, fixed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_multiples_of_the_batch_and_a_constant() {
        assert_eq!(size([7, 7, 7]), Some(Size { per_row: 0, fixed: 7 }));
        assert_eq!(size([32, 48, 80]), Some(Size { per_row: 16, fixed: 0 }));
        assert_eq!(size([5, 7, 11]), Some(Size { per_row: 2, fixed: 1 }));
        assert_eq!(size([4, 9, 25]), None, "squares are not");
        assert_eq!(size([i64::MIN; 3]), Some(Size { per_row: 0, fixed: i64::MIN }));
    }
}
