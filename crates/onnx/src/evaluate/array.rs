//! Numbers with a shape.

use crate::{
    OnnxError,
    proto::{DataType, TensorProto},
};

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The shape.
    pub shape: Vec<usize>,
    /// What the numbers are rounded to.
    pub kind: DataType,
    /// The numbers; truth values are 0 and 1.
    pub values: Vec<f64>,
}

impl Array {
    /// Floats in single precision.
    ///
    /// # Panics
    /// If the shape has another number of values.
    pub fn floats(shape: &[usize], values: &[f32]) -> Self {
        let values = values.iter().map(|&value| value.into()).collect();
        Self::new(shape, DataType::Float, values)
    }

    /// 64-bit integers.
    ///
    /// # Panics
    /// If the shape has another number of values.
    pub fn ints(shape: &[usize], values: &[i64]) -> Self {
        Self::new(shape, DataType::Int64, values.iter().map(|&value| value as f64).collect())
    }

    pub(super) fn new(shape: &[usize], kind: DataType, values: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values of the shape {shape:?}");
        Self { shape: shape.to_vec(), kind, values }
    }

    /// A constant of a file.
    pub(super) fn of(tensor: &TensorProto) -> Result<Self, OnnxError> {
        let unknown = || OnnxError::File(format!("`{}` has a type that is not read here", tensor.name));
        let kind = DataType::try_from(tensor.data_type).map_err(|_| unknown())?;
        let shape: Vec<usize> = tensor.dims.iter().map(|&size| size as usize).collect();
        let bytes = &tensor.raw_data;
        let values: Vec<f64> = match kind {
            DataType::Float => {
                bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four).into()).collect()
            }
            DataType::Double => bytes.as_chunks().0.iter().map(|&eight| f64::from_le_bytes(eight)).collect(),
            DataType::Int64 => {
                bytes.as_chunks().0.iter().map(|&eight| i64::from_le_bytes(eight) as f64).collect()
            }
            DataType::Int32 => {
                bytes.as_chunks().0.iter().map(|&four| i32::from_le_bytes(four).into()).collect()
            }
            DataType::Uint8 | DataType::Bool => bytes.iter().map(|&byte| byte.into()).collect(),
            _ => return Err(unknown()),
        };
        if shape.iter().product::<usize>() != values.len() {
            return Err(OnnxError::File(format!("`{}` has not the length of its shape", tensor.name)));
        }
        Ok(Self { shape, kind, values })
    }

    /// As numbers of another type.
    pub(super) fn of_type(mut self, kind: DataType) -> Self {
        self.kind = kind;
        self.rounded()
    }

    /// Rounded to its type.
    pub(super) fn rounded(mut self) -> Self {
        let round = |x: f64| match self.kind {
            DataType::Float => f64::from(x as f32),
            DataType::Bool => f64::from(u8::from(x != 0.0)),
            DataType::Uint8 => f64::from(x as u8),
            DataType::Int64 | DataType::Int32 => x.trunc(),
            _ => x,
        };
        self.values.iter_mut().for_each(|x| *x = round(*x));
        self
    }

    /// Steps of each axis in the values.
    pub(super) fn strides(&self) -> Vec<usize> {
        strides(&self.shape)
    }

    /// Broadcast to a shape.
    pub(super) fn expanded(&self, shape: &[usize]) -> Self {
        let missing = shape.len() - self.shape.len();
        let own = self.strides();
        let step = |axis: usize| match axis.checked_sub(missing) {
            Some(axis) if self.shape[axis] > 1 => own[axis],
            _ => 0,
        };
        let steps: Vec<usize> = (0..shape.len()).map(step).collect();
        let values = indices(shape).map(|index| self.values[dot(&index, &steps)]).collect();
        Self { shape: shape.to_vec(), kind: self.kind, values }
    }

    /// `f` of the values of both, broadcast to each other; the type is that of the first.
    pub(super) fn zip(x: &Self, y: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let shape = broadcast(&x.shape, &y.shape);
        let (a, b) = (x.expanded(&shape), y.expanded(&shape));
        Self { shape, kind: x.kind, values: a.values.iter().zip(&b.values).map(|(&a, &b)| f(a, b)).collect() }
    }
}

/// The shape that two shapes broadcast to.
///
/// # Panics
/// If they do not.
pub(super) fn broadcast(x: &[usize], y: &[usize]) -> Vec<usize> {
    let rank = x.len().max(y.len());
    let at =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (at(x, axis), at(y, axis)) {
            (a, b) if a == b || b == 1 => a,
            (1, b) => b,
            _ => panic!("{x:?} and {y:?} do not broadcast"),
        })
        .collect()
}

pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Every place of a shape, the last axis fastest.
pub(super) fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    let steps = strides(shape);
    let place =
        move |flat: usize| shape.iter().zip(&steps).map(|(&size, &step)| flat / step % size).collect();
    (0..shape.iter().product()).map(place)
}

pub(super) fn dot(index: &[usize], steps: &[usize]) -> usize {
    index.iter().zip(steps).map(|(i, step)| i * step).sum()
}
