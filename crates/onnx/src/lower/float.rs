//! Operations on floats alone.

use super::{Done, Lower, NO_MAPPING, Refusal, unmapped};
use crate::graph::Operand;
use burn_backend::DType;
use burn_ir::{BinaryOpIr, FloatOperationIr as Float, TensorIr, UnaryOpIr};
use burn_std::BoolStore;
use std::f64::consts::PI;

impl Lower {
    pub(super) fn float(&mut self, op: &Float) -> Done {
        let (name, UnaryOpIr { input, out }) = match op {
            Float::Exp(op) => ("Exp", op),
            Float::Log(op) => ("Log", op),
            Float::Erf(op) => ("Erf", op),
            Float::Sqrt(op) => ("Sqrt", op),
            Float::Recip(op) => ("Reciprocal", op),
            Float::Cos(op) => ("Cos", op),
            Float::Cosh(op) => ("Cosh", op),
            Float::Sin(op) => ("Sin", op),
            Float::Sinh(op) => ("Sinh", op),
            Float::Tan(op) => ("Tan", op),
            Float::Tanh(op) => ("Tanh", op),
            Float::ArcCos(op) => ("Acos", op),
            Float::ArcCosh(op) => ("Acosh", op),
            Float::ArcSin(op) => ("Asin", op),
            Float::ArcSinh(op) => ("Asinh", op),
            Float::ArcTan(op) => ("Atan", op),
            Float::ArcTanh(op) => ("Atanh", op),
            Float::Round(op) => ("Round", op),
            Float::Floor(op) => ("Floor", op),
            Float::Ceil(op) => ("Ceil", op),
            Float::IsNan(op) => ("IsNaN", op),
            Float::IsInf(op) => ("IsInf", op),
            Float::Log1p(op) => return self.log1p(op),
            Float::ArcTan2(op) => return self.atan2(op),
            Float::PowfScalar(op) => return self.power(op),
            Float::Powf(op) => return self.simple("Pow", &[&op.lhs, &op.rhs], &op.out),
            Float::Matmul(op) => return self.simple("MatMul", &[&op.lhs, &op.rhs], &op.out),
            Float::IntoInt(op) => return self.cast(&op.input, &op.out),
            Float::Random(_) => return Err(Refusal::Random),
            other => return Err(unmapped(other, NO_MAPPING)),
        };
        self.simple(name, &[input], out)
    }

    fn log1p(&mut self, UnaryOpIr { input, out }: &UnaryOpIr) -> Done {
        let inputs = vec![self.operand(input)?, Operand::Scalar(1.0, input.dtype)];
        let above = self.between("Add", inputs, input);
        self.make("Log", vec![above], out, Vec::new())
    }

    /// `atan(y/x)`, and half a turn more on the side of negative `x`. At the origin, where `atan2` is 0, it is not a number.
    fn atan2(&mut self, BinaryOpIr { lhs, rhs, out }: &BinaryOpIr) -> Done {
        let (y, x, dtype) = (self.operand(lhs)?, self.operand(rhs)?, out.dtype);
        let number = |number: f64| Operand::Scalar(number, dtype);
        let flag = |tensor: &TensorIr| TensorIr { dtype: DType::Bool(BoolStore::Native), ..tensor.clone() };
        let quotient = self.between("Div", vec![y.clone(), x.clone()], out);
        let angle = self.between("Atan", vec![quotient], out);
        let below = self.between("Less", vec![y, number(0.0)], &flag(lhs));
        let half = self.between("Where", vec![below, number(-PI), number(PI)], lhs);
        let left = self.between("Less", vec![x, number(0.0)], &flag(rhs));
        let turn = self.between("Where", vec![left, half, number(0.0)], out);
        self.make("Add", vec![angle, turn], out, Vec::new())
    }
}
