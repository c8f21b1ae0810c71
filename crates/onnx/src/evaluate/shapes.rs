//! Operators that move values, and those along axes.

use super::{
    Operation,
    array::{Array, broadcast, dot, indices},
};
use crate::proto::DataType;

impl Operation<'_> {
    pub(super) fn reshape(&self) -> Array {
        let x = self.at(0);
        let sizes = self.sizes(1);
        let known: i64 = sizes.iter().filter(|&&size| size >= 0).product();
        let rest = x.values.len() as i64 / known.max(1);
        let shape: Vec<usize> =
            sizes.iter().map(|&size| if size < 0 { rest } else { size } as usize).collect();
        Array::new(&shape, x.kind, x.values.clone())
    }

    pub(super) fn expand(&self) -> Array {
        let asked: Vec<usize> = self.sizes(1).iter().map(|&size| size as usize).collect();
        self.at(0).expanded(&broadcast(&self.at(0).shape, &asked))
    }

    pub(super) fn transpose(&self) -> Array {
        let (x, axes) = (self.at(0), self.ints("perm").expect("a permutation"));
        let own = x.strides();
        let shape: Vec<usize> = axes.iter().map(|&axis| x.shape[axis]).collect();
        let steps: Vec<usize> = axes.iter().map(|&axis| own[axis]).collect();
        let values = indices(&shape).map(|index| x.values[dot(&index, &steps)]).collect();
        Array::new(&shape, x.kind, values)
    }

    pub(super) fn slice(&self) -> Array {
        let x = self.at(0);
        let [starts, ends, axes, steps] = [1, 2, 3, 4].map(|place| self.sizes(place));
        let mut places: Vec<Vec<usize>> = x.shape.iter().map(|&size| (0..size).collect()).collect();
        for (cut, &axis) in axes.iter().enumerate() {
            let size = x.shape[axis as usize] as i64;
            let backwards = steps[cut] < 0;
            let (low, high) = if backwards { (-1, size - 1) } else { (0, size) };
            let place =
                |place: i64| (if place < 0 { place.saturating_add(size) } else { place }).clamp(low, high);
            let (mut at, end) = (place(starts[cut]), place(ends[cut]));
            places[axis as usize].clear();
            while if backwards { at > end } else { at < end } {
                places[axis as usize].push(at as usize);
                at += steps[cut];
            }
        }
        let shape: Vec<usize> = places.iter().map(Vec::len).collect();
        let own = x.strides();
        let from = |index: Vec<usize>| {
            index.iter().enumerate().map(|(axis, &i)| places[axis][i] * own[axis]).sum::<usize>()
        };
        let values = indices(&shape).map(|index| x.values[from(index)]).collect();
        Array::new(&shape, x.kind, values)
    }

    pub(super) fn gather(&self) -> Array {
        let (x, chosen) = (self.at(0), self.at(1));
        let axis = self.axis(x.shape.len());
        let shape = [&x.shape[..axis], &chosen.shape, &x.shape[axis + 1..]].concat();
        let after: usize = x.shape[axis + 1..].iter().product();
        let before: usize = x.shape[..axis].iter().product();
        let mut values = Vec::new();
        for outer in 0..before {
            for &choice in &chosen.values {
                let start = (outer * x.shape[axis] + choice as usize) * after;
                values.extend_from_slice(&x.values[start..start + after]);
            }
        }
        Array::new(&shape, x.kind, values)
    }

    pub(super) fn gather_elements(&self) -> Array {
        let (x, chosen) = (self.at(0), self.at(1));
        let (axis, own) = (self.axis(x.shape.len()), x.strides());
        let value = |(mut index, &choice): (Vec<usize>, &f64)| {
            index[axis] = choice as usize;
            x.values[dot(&index, &own)]
        };
        let values = indices(&chosen.shape).zip(&chosen.values).map(value).collect();
        Array::new(&chosen.shape, x.kind, values)
    }

    pub(super) fn concat(&self) -> Array {
        let first = self.at(0);
        let axis = self.axis(first.shape.len());
        let mut shape = first.shape.clone();
        let parts: Vec<&Array> = (0..self.operands.len()).map(|place| self.at(place)).collect();
        shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
        let mut values = Vec::new();
        for outer in 0..shape[..axis].iter().product() {
            for part in &parts {
                let length = part.shape[axis..].iter().product::<usize>();
                values.extend_from_slice(&part.values[outer * length..(outer + 1) * length]);
            }
        }
        Array::new(&shape, first.kind, values)
    }

    pub(super) fn tile(&self) -> Array {
        let (x, repeats) = (self.at(0), self.sizes(1));
        let shape: Vec<usize> =
            x.shape.iter().zip(&repeats).map(|(size, &times)| size * times as usize).collect();
        let own = x.strides();
        let from = |index: Vec<usize>| {
            let inside: Vec<usize> = index.iter().zip(&x.shape).map(|(i, size)| i % size).collect();
            x.values[dot(&inside, &own)]
        };
        let values = indices(&shape).map(from).collect();
        Array::new(&shape, x.kind, values)
    }

    pub(super) fn shape(&self) -> Array {
        let shape = &self.at(0).shape;
        let (start, end) = (self.int("start", 0) as usize, self.int("end", shape.len() as i64) as usize);
        let sizes: Vec<f64> = shape[start..end].iter().map(|&size| size as f64).collect();
        Array::new(&[sizes.len()], DataType::Int64, sizes)
    }

    /// Folds the axis that is named.
    pub(super) fn reduce(
        &self,
        empty: f64,
        fold: impl Fn(f64, f64) -> f64,
        last: impl Fn(f64, usize) -> f64,
    ) -> Array {
        let (x, axis) = (self.at(0), self.sizes(1)[0] as usize);
        let length = x.shape[axis];
        let mut shape = x.shape.clone();
        shape[axis] = 1;
        let values = lanes(x, axis)
            .map(|lane| last(lane.iter().fold(empty, |sum, &i| fold(sum, x.values[i])), length))
            .collect();
        Array::new(&shape, x.kind, values).rounded()
    }

    pub(super) fn softmax(&self) -> Array {
        let x = self.at(0);
        let mut values = vec![0.0; x.values.len()];
        for lane in lanes(x, self.axis(x.shape.len())) {
            let max = lane.iter().map(|&i| x.values[i]).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = lane.iter().map(|&i| (x.values[i] - max).exp()).sum();
            lane.iter().for_each(|&i| values[i] = (x.values[i] - max).exp() / sum);
        }
        Array::new(&x.shape, x.kind, values).rounded()
    }

    /// Along the last axis.
    pub(super) fn layer_norm(&self) -> Array {
        let (x, scale) = (self.at(0), self.at(1));
        let epsilon = f64::from(self.attribute("epsilon").and_then(|attribute| attribute.f).unwrap_or(1e-5));
        let mut values = vec![0.0; x.values.len()];
        for lane in lanes(x, x.shape.len() - 1) {
            let n = lane.len() as f64;
            let mean = lane.iter().map(|&i| x.values[i]).sum::<f64>() / n;
            let variance = lane.iter().map(|&i| (x.values[i] - mean).powi(2)).sum::<f64>() / n;
            for (&i, scale) in lane.iter().zip(&scale.values) {
                values[i] = (x.values[i] - mean) / (variance + epsilon).sqrt() * scale;
            }
        }
        Array::new(&x.shape, x.kind, values).rounded()
    }
}

/// Places of the values along an axis, for every place of the others.
fn lanes(x: &Array, axis: usize) -> impl Iterator<Item = Vec<usize>> + '_ {
    let (length, step) = (x.shape[axis], x.strides()[axis]);
    let starts = (0..x.values.len()).filter(move |flat| flat / step % length == 0);
    starts.map(move |start| (0..length).map(|i| start + i * step).collect())
}
