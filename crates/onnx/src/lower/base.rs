//! Operations on numbers of any kind: shapes, places and choices.

use super::{Done, Lower, NO_MAPPING, Refusal, ints, scalar, unmapped};
use crate::graph::{Attribute, Operand};
use burn_backend::Slice;
use burn_ir::{BaseOperationIr as Base, ScalarIr, TensorIr};

impl Lower {
    pub(super) fn base(&mut self, op: &Base) -> Done {
        match op {
            Base::Reshape(op) => {
                let inputs = vec![self.operand(&op.input)?, shape_of(&op.out)];
                self.make("Reshape", inputs, &op.out, Vec::new())
            }
            Base::Expand(op) => {
                let inputs = vec![self.operand(&op.input)?, shape_of(&op.out)];
                self.make("Expand", inputs, &op.out, Vec::new())
            }
            Base::SwapDims(op) => {
                let mut axes: Vec<usize> = (0..op.input.shape.num_dims()).collect();
                axes.swap(op.dim1, op.dim2);
                self.transpose(&op.input, &axes, &op.out)
            }
            Base::Permute(op) => self.transpose(&op.input, &op.axes, &op.out),
            Base::Flip(op) => {
                let each = |number: i64| Operand::Sizes(vec![number; op.axes.len()]);
                let axes = Operand::Sizes(op.axes.iter().map(|&axis| axis as i64).collect());
                let inputs = vec![self.operand(&op.input)?, each(-1), each(i64::MIN), axes, each(-1)];
                self.make("Slice", inputs, &op.out, Vec::new())
            }
            Base::Slice(op) => {
                let cuts = cuts(&op.tensor, &op.ranges)?;
                let inputs = self.slice_inputs(&op.tensor, &cuts)?;
                self.make("Slice", inputs, &op.out, Vec::new())
            }
            Base::SliceAssign(op) => self.slice_assign(&op.tensor, &op.ranges, &op.value, &op.out),
            Base::Select(op) => self.axis("Gather", &[&op.tensor, &op.indices], op.dim, &op.out),
            Base::Gather(op) => self.axis("GatherElements", &[&op.tensor, &op.indices], op.dim, &op.out),
            Base::Cat(op) => {
                let tensors: Vec<&TensorIr> = op.tensors.iter().collect();
                self.axis("Concat", &tensors, op.dim, &op.out)
            }
            Base::MaskWhere(op) => self.simple("Where", &[&op.mask, &op.value, &op.tensor], &op.out),
            Base::MaskFill(op) => {
                let value = scalar(op.value, op.tensor.dtype);
                let inputs = vec![self.operand(&op.mask)?, value, self.operand(&op.tensor)?];
                self.make("Where", inputs, &op.out, Vec::new())
            }
            Base::Equal(op) => self.simple("Equal", &[&op.lhs, &op.rhs], &op.out),
            Base::EqualElem(op) => self.with_scalar("Equal", &op.lhs, op.rhs, &op.out),
            Base::RepeatDim(op) => {
                let mut repeats = vec![1; op.tensor.shape.num_dims()];
                repeats[op.dim] = op.times as i64;
                let inputs = vec![self.operand(&op.tensor)?, Operand::Sizes(repeats)];
                self.make("Tile", inputs, &op.out, Vec::new())
            }
            Base::Cast(op) => self.cast(&op.input, &op.out),
            Base::Ones(op) => self.full(ScalarIr::Int(1), &op.out),
            Base::Zeros(op) => self.full(ScalarIr::Int(0), &op.out),
            other => Err(unmapped(other, NO_MAPPING)),
        }
    }

    /// A tensor of one number.
    pub(super) fn full(&mut self, number: ScalarIr, out: &TensorIr) -> Done {
        self.make("Expand", vec![scalar(number, out.dtype), shape_of(out)], out, Vec::new())
    }

    fn transpose(&mut self, input: &TensorIr, axes: &[usize], out: &TensorIr) -> Done {
        let inputs = vec![self.operand(input)?];
        self.make("Transpose", inputs, out, vec![("perm", ints(axes))])
    }

    /// An operation along one axis.
    pub(super) fn axis(
        &mut self,
        op: &'static str,
        inputs: &[&TensorIr],
        axis: usize,
        out: &TensorIr,
    ) -> Done {
        let inputs = inputs.iter().map(|tensor| self.operand(tensor)).collect::<Result<_, _>>()?;
        self.make(op, inputs, out, vec![("axis", Attribute::Int(axis as i64))])
    }

    fn slice_inputs(&self, tensor: &TensorIr, cuts: &[Cut]) -> Result<Vec<Operand<i64>>, Refusal> {
        let each = |of: fn(&Cut) -> i64| Operand::Sizes(cuts.iter().map(of).collect());
        let (starts, ends) = (each(|cut| cut.start), each(|cut| cut.end));
        Ok(vec![self.operand(tensor)?, starts, ends, each(|cut| cut.axis), each(|cut| cut.step)])
    }

    /// What is before, the new part, and what is after, along the one axis that is cut.
    fn slice_assign(
        &mut self,
        tensor: &TensorIr,
        ranges: &[Slice],
        value: &TensorIr,
        out: &TensorIr,
    ) -> Done {
        let refuse = |reason| Refusal::Unmapped("SliceAssign".to_owned(), reason);
        let cuts = cuts(tensor, ranges)?;
        let [cut] = cuts[..] else {
            return match cuts.is_empty() {
                true => self.simple("Identity", &[value], out),
                false => Err(refuse("only along one axis")),
            };
        };
        if cut.step != 1 {
            return Err(refuse("only without steps"));
        }
        let (axis, length) = (cut.axis as usize, tensor.shape[cut.axis as usize] as i64);
        let mut parts = Vec::new();
        for (start, end) in [(0, cut.start), (cut.end, length)] {
            let mut part = tensor.clone();
            part.shape[axis] = (end - start) as usize;
            if start < end {
                let inputs = self.slice_inputs(tensor, &[Cut { start, end, ..cut }])?;
                parts.push(self.between("Slice", inputs, &part));
            }
            if start == 0 {
                parts.push(self.operand(value)?);
            }
        }
        self.make("Concat", parts, out, vec![("axis", Attribute::Int(cut.axis))])
    }
}

/// The shape of a tensor as an operand.
pub(super) fn shape_of(tensor: &TensorIr) -> Operand<i64> {
    Operand::Sizes(tensor.shape.iter().map(|&size| size as i64).collect())
}

/// A part of one axis.
#[derive(Clone, Copy)]
struct Cut {
    axis: i64,
    start: i64,
    end: i64,
    step: i64,
}

/// The axes of which a slice leaves something out.
fn cuts(tensor: &TensorIr, ranges: &[Slice]) -> Result<Vec<Cut>, Refusal> {
    let mut cuts = Vec::new();
    for (axis, (range, &length)) in ranges.iter().zip(tensor.shape.iter()).enumerate() {
        if range.step < 1 {
            return Err(Refusal::Unmapped("Slice".to_owned(), "a step backwards; `flip` has a mapping"));
        }
        let place = |place: isize| if place < 0 { place + length as isize } else { place } as i64;
        let start = place(range.start);
        let end = range.end.map_or(length as i64, place);
        if (start, end, range.step) != (0, length as i64, 1) {
            cuts.push(Cut { axis: axis as i64, start, end, step: range.step as i64 });
        }
    }
    Ok(cuts)
}
