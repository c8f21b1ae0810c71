//! Operations on floats and integers alike.

use super::{Done, Lower, NO_MAPPING, base::shape_of, scalar, unmapped};
use crate::graph::{Attribute, Operand};
use burn_ir::{NumericOperationIr as Numeric, ReduceDimOpIr, ReduceOpIr, ScalarIr, ScalarOpIr, TensorIr};

impl Lower {
    pub(super) fn numeric(&mut self, op: &Numeric) -> Done {
        match op {
            Numeric::Add(op) => self.simple("Add", &[&op.lhs, &op.rhs], &op.out),
            Numeric::Sub(op) => self.simple("Sub", &[&op.lhs, &op.rhs], &op.out),
            Numeric::Mul(op) => self.simple("Mul", &[&op.lhs, &op.rhs], &op.out),
            Numeric::Div(op) => self.simple("Div", &[&op.lhs, &op.rhs], &op.out),
            Numeric::AddScalar(op) => self.with_scalar("Add", &op.lhs, op.rhs, &op.out),
            Numeric::SubScalar(op) => self.with_scalar("Sub", &op.lhs, op.rhs, &op.out),
            Numeric::MulScalar(op) => self.with_scalar("Mul", &op.lhs, op.rhs, &op.out),
            Numeric::DivScalar(op) => self.with_scalar("Div", &op.lhs, op.rhs, &op.out),
            Numeric::Powi(op) => self.simple("Pow", &[&op.lhs, &op.rhs], &op.out),
            Numeric::PowiScalar(op) => self.power(op),
            Numeric::Abs(op) => self.simple("Abs", &[&op.input], &op.out),
            Numeric::Full(op) => self.full(op.value, &op.out),
            Numeric::Clamp(op) => {
                let ends = [op.min, op.max].map(|end| scalar(end, op.tensor.dtype));
                let inputs = std::iter::once(self.operand(&op.tensor)?).chain(ends).collect();
                self.make("Clip", inputs, &op.out, Vec::new())
            }
            Numeric::Greater(op) => self.simple("Greater", &[&op.lhs, &op.rhs], &op.out),
            Numeric::GreaterEqual(op) => self.simple("GreaterOrEqual", &[&op.lhs, &op.rhs], &op.out),
            Numeric::Lower(op) => self.simple("Less", &[&op.lhs, &op.rhs], &op.out),
            Numeric::LowerEqual(op) => self.simple("LessOrEqual", &[&op.lhs, &op.rhs], &op.out),
            Numeric::GreaterElem(op) => self.with_scalar("Greater", &op.lhs, op.rhs, &op.out),
            Numeric::GreaterEqualElem(op) => self.with_scalar("GreaterOrEqual", &op.lhs, op.rhs, &op.out),
            Numeric::LowerElem(op) => self.with_scalar("Less", &op.lhs, op.rhs, &op.out),
            Numeric::LowerEqualElem(op) => self.with_scalar("LessOrEqual", &op.lhs, op.rhs, &op.out),
            Numeric::MeanDim(op) => self.reduce_axis("ReduceMean", op),
            Numeric::SumDim(op) => self.reduce_axis("ReduceSum", op),
            Numeric::ProdDim(op) => self.reduce_axis("ReduceProd", op),
            Numeric::MaxDim(op) => self.reduce_axis("ReduceMax", op),
            Numeric::MinDim(op) => self.reduce_axis("ReduceMin", op),
            Numeric::Mean(op) => self.reduce_all("ReduceMean", op),
            Numeric::Sum(op) => self.reduce_all("ReduceSum", op),
            Numeric::Prod(op) => self.reduce_all("ReduceProd", op),
            Numeric::Max(op) => self.reduce_all("ReduceMax", op),
            Numeric::Min(op) => self.reduce_all("ReduceMin", op),
            other => Err(unmapped(other, NO_MAPPING)),
        }
    }

    /// Squares are products, which are exact for negative numbers in every runtime.
    pub(super) fn power(&mut self, op: &ScalarOpIr) -> Done {
        let two = matches!(op.rhs, ScalarIr::Int(2) | ScalarIr::UInt(2)) || op.rhs == ScalarIr::Float(2.0);
        if two {
            return self.simple("Mul", &[&op.lhs, &op.lhs], &op.out);
        }
        self.with_scalar("Pow", &op.lhs, op.rhs, &op.out)
    }

    fn reduce_axis(&mut self, op: &'static str, reduce: &ReduceDimOpIr) -> Done {
        let inputs = vec![self.operand(&reduce.input)?, Operand::Sizes(vec![reduce.axis as i64])];
        self.make(op, inputs, &reduce.out, vec![("keepdims", Attribute::Int(1))])
    }

    /// Over all axes, to a shape of one number: Burn has no rank 0.
    fn reduce_all(&mut self, op: &'static str, ReduceOpIr { input, out }: &ReduceOpIr) -> Done {
        let flat = TensorIr { shape: [input.shape.num_elements()].into(), ..input.clone() };
        let inputs = vec![self.operand(input)?, shape_of(&flat)];
        let inputs = vec![self.between("Reshape", inputs, &flat), Operand::Sizes(vec![0])];
        self.make(op, inputs, out, vec![("keepdims", Attribute::Int(1))])
    }
}
