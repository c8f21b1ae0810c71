//! How the numbers of a parameter lie in the files of other programs.

use meanflow_weights::HostTensor;

/// How the numbers of a parameter lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As here; leading dimensions that are merged here may be apart there.
    Same,
    /// A matrix `[outputs, inputs]`, here `[inputs, outputs]`.
    Transposed,
    /// A convolution kernel `[outputs, channels, p, p]` over patches, here a matrix with the rows `(row, column, channel)`.
    PatchKernel {
        /// Channels of a patch.
        channels: usize,
    },
    /// The last layer: weights as [`Layout::Transposed`], a bias as it is, with outputs `(row, column, channel)`. A file may
    /// have twice the channels, of which the second half is a variance that is left out.
    Head {
        /// Channels of a sample.
        channels: usize,
    },
}

impl Layout {
    /// Sizes in a file of a parameter that has `shape` here.
    pub fn there(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Self::Transposed | Self::Head { .. }, &[inputs, outputs]) => vec![outputs, inputs],
            (Self::PatchKernel { channels }, &[inputs, outputs]) => {
                let side = (inputs / channels).isqrt();
                vec![outputs, channels, side, side]
            }
            _ => shape.to_vec(),
        }
    }

    /// Index in a file of each number of a parameter that has `shape` here; `None` if the order is the same.
    fn order(self, shape: &[usize]) -> Option<Vec<usize>> {
        let &[inputs, outputs] = shape else { return None };
        let place = |input: usize| match self {
            Self::Same => None,
            Self::Transposed | Self::Head { .. } => Some(input),
            Self::PatchKernel { channels } => {
                let (pixel, channel) = (input / channels, input % channels);
                Some(channel * (inputs / channels) + pixel)
            }
        };
        (0..inputs * outputs).map(|i| Some(i % outputs * inputs + place(i / outputs)?)).collect()
    }

    /// The numbers, row-major, of a parameter that has `shape` here; `None` if the tensor has another shape.
    pub fn read(self, tensor: &HostTensor, shape: &[usize]) -> Option<Vec<f32>> {
        let there = self.there(shape);
        if let Self::Head { channels } = self
            && tensor.shape.first() == Some(&(2 * there[0]))
        {
            return self.read(&without_variance(tensor, channels), shape);
        }
        let fits = match self {
            Self::Same => tensor.shape == there || same_matrix(&tensor.shape, &there),
            Self::Head { .. } => tensor.shape == there,
            Self::Transposed | Self::PatchKernel { .. } => tensor.shape == there && shape.len() == 2,
        };
        if !fits {
            return None;
        }
        Some(match self.order(shape) {
            None => tensor.values.clone(),
            Some(order) => order.into_iter().map(|index| tensor.values[index]).collect(),
        })
    }

    /// The tensor that [`Layout::read`] reads as this one.
    pub fn write(self, tensor: HostTensor) -> HostTensor {
        let HostTensor { shape, values } = tensor;
        let Some(order) = self.order(&shape) else { return HostTensor { shape, values } };
        let mut there = vec![0.0; values.len()];
        for (index, value) in order.into_iter().zip(values) {
            there[index] = value;
        }
        HostTensor { shape: self.there(&shape), values: there }
    }
}

/// The first `channels` of each pixel's `2·channels` along the first dimension.
fn without_variance(tensor: &HostTensor, channels: usize) -> HostTensor {
    let size: usize = tensor.shape[1..].iter().product();
    let values = tensor.values.chunks(2 * channels * size).flat_map(|pixel| &pixel[..channels * size]);
    let mut shape = tensor.shape.clone();
    shape[0] /= 2;
    HostTensor { shape, values: values.copied().collect() }
}

/// Whether `a` is the matrix or vector `b` once all but its last dimension are merged.
pub(crate) fn same_matrix(a: &[usize], b: &[usize]) -> bool {
    let rows = |shape: &[usize]| shape.iter().rev().skip(1).product::<usize>();
    b.len() <= 2 && a.len() > b.len() && a.last() == b.last() && rows(a) == rows(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize]) -> HostTensor {
        let values = (0..shape.iter().product::<usize>()).map(|i| i as f32).collect();
        HostTensor { shape: shape.to_vec(), values }
    }

    fn read(layout: Layout, from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        let values = layout.read(&tensor(from), to)?;
        let back = layout.write(HostTensor { shape: to.to_vec(), values: values.clone() });
        assert_eq!(back.values, tensor(from).values, "{layout:?} {from:?} {to:?}");
        Some(values)
    }

    #[test]
    fn layouts() {
        assert_eq!(read(Layout::Same, &[2, 1, 2], &[2, 2]), Some(vec![0., 1., 2., 3.]));
        assert_eq!(read(Layout::Transposed, &[2, 3], &[3, 2]), Some(vec![0., 3., 1., 4., 2., 5.]));
        // One output, two channels, patches of 2×2: rows are (pixel, channel).
        let kernel = Layout::PatchKernel { channels: 2 };
        assert_eq!(read(kernel, &[1, 2, 2, 2], &[8, 1]), Some(vec![0., 4., 1., 5., 2., 6., 3., 7.]));
        // Two outputs, two channels, patches of one pixel.
        assert_eq!(read(kernel, &[2, 2, 1, 1], &[2, 2]), Some(vec![0., 2., 1., 3.]));
        let head = Layout::Head { channels: 1 };
        assert_eq!(read(head, &[2, 3], &[3, 2]), Some(vec![0., 3., 1., 4., 2., 5.]));
        assert_eq!(read(head, &[3], &[3]), Some(vec![0., 1., 2.]));
        // Two pixels of one channel and its variance.
        assert_eq!(head.read(&tensor(&[4, 2]), &[2, 2]), Some(vec![0., 4., 1., 5.]));
        assert_eq!(head.read(&tensor(&[4]), &[2]), Some(vec![0., 2.]));
        for (layout, from, to) in [
            (head, &[6, 2][..], &[2, 2][..]),
            (head, &[2], &[2, 2]),
            (Layout::Same, &[2, 3], &[3, 2]),
            (Layout::Same, &[4], &[5]),
            // Kernels of convolutions: as many numbers, and equal last sizes.
            (Layout::Same, &[2, 3, 1, 1], &[3, 2, 1, 1]),
            (Layout::Same, &[6, 1, 1, 1], &[3, 2, 1, 1]),
            (Layout::Same, &[2, 3, 4, 5], &[6, 4, 5]),
            (Layout::Transposed, &[2, 3], &[2, 3]),
            (Layout::Transposed, &[6], &[6]),
            (kernel, &[2, 2, 1, 2], &[2, 4]),
        ] {
            assert_eq!(read(layout, from, to), None, "{layout:?} {from:?} {to:?}");
        }
    }
}
