//! Weights under the names and in the layouts of other programs.
//!
//! A [`Convention`] says for every parameter of a network what its tensor is called in such a file and how its numbers lie
//! there; one file a convention ([`crate::flax`], [`crate::torch_dit`]).

use crate::{NetConfig, flax, torch_dit};

pub use crate::flax::HostTensor;

/// Where a parameter is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the tensor, its parts joined by dots.
    pub name: String,
    /// How its numbers lie there.
    pub layout: Layout,
}

/// How the numbers of a parameter lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As here; leading dimensions may be split.
    Same,
    /// A matrix `[outputs, inputs]`, here `[inputs, outputs]`.
    Transposed,
    /// A convolution kernel `[outputs, channels, p, p]` over patches, here a matrix with the rows `(row, column, channel)`.
    PatchKernel,
}

/// How a program names the parameters of a network.
pub struct Convention {
    /// In words.
    pub name: &'static str,
    /// Where the parameter at a path of a [`Net`](crate::Net) is.
    pub entry: Box<dyn Fn(&str) -> Entry>,
    /// Last parts of the names of tensors that are no parameters.
    pub constants: &'static [&'static str],
}

impl NetConfig {
    /// The conventions in which weights of this network may come; the first is that of checkpoints and exported files.
    pub fn conventions(&self) -> Vec<Convention> {
        let same = |name: String| Entry { name, layout: Layout::Same };
        let mut conventions = vec![Convention {
            name: "meanflow",
            entry: Box::new(move |path| same(path.to_owned())),
            constants: &[],
        }];
        if let Self::Dit(_) = self {
            conventions.push(Convention {
                name: "Flax DiT",
                entry: Box::new(move |path| same(flax::name(within(path)))),
                constants: &["pos_embed"],
            });
            conventions.push(Convention {
                name: "PyTorch DiT",
                entry: Box::new(|path| torch_dit::entry(within(path))),
                constants: &["pos_embed"],
            });
        }
        conventions
    }
}

/// The path within the network: a [`Net`](crate::Net) puts its kind before it, as in `Dit.blocks.0.qkv.bias`.
fn within(path: &str) -> &str {
    path.split_once('.').map_or(path, |(_kind, rest)| rest)
}

impl Layout {
    /// The numbers of a parameter of this shape, row-major; `None` if the tensor has another shape.
    pub fn read(self, tensor: &HostTensor, shape: &[usize]) -> Option<Vec<f32>> {
        let HostTensor { shape: found, values } = tensor;
        match (self, found.as_slice(), shape) {
            (Self::Same, ..) => {
                let same = *found == shape || flax::same_matrix(found, shape);
                same.then(|| values.clone())
            }
            (Self::Transposed, &[outputs, inputs], shape) if shape == [inputs, outputs] => {
                let columns = (0..inputs).flat_map(|i| (0..outputs).map(move |o| o * inputs + i));
                Some(columns.map(|index| values[index]).collect())
            }
            (Self::PatchKernel, &[outputs, channels, rows, columns], shape)
                if shape == [rows * columns * channels, outputs] =>
            {
                let pixels = rows * columns;
                let inputs = (0..pixels).flat_map(|pixel| (0..channels).map(move |c| c * pixels + pixel));
                let index = inputs.flat_map(|i| (0..outputs).map(move |o| o * channels * pixels + i));
                Some(index.map(|index| values[index]).collect())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layout: Layout, from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        let values = (0..from.iter().product::<usize>()).map(|i| i as f32).collect();
        layout.read(&HostTensor { shape: from.to_vec(), values }, to)
    }

    #[test]
    fn layouts() {
        assert_eq!(read(Layout::Same, &[2, 1, 2], &[2, 2]), Some(vec![0., 1., 2., 3.]));
        assert_eq!(read(Layout::Transposed, &[2, 3], &[3, 2]), Some(vec![0., 3., 1., 4., 2., 5.]));
        // Two outputs, two channels, patches of 1×2: rows are (pixel, channel).
        let kernel = read(Layout::PatchKernel, &[2, 2, 1, 2], &[4, 2]);
        assert_eq!(kernel, Some(vec![0., 4., 2., 6., 1., 5., 3., 7.]));
        for (layout, from, to) in [
            (Layout::Same, &[2, 3][..], &[3, 2][..]),
            (Layout::Same, &[4], &[5]),
            (Layout::Transposed, &[2, 3], &[2, 3]),
            (Layout::Transposed, &[6], &[6]),
            (Layout::PatchKernel, &[2, 2, 1, 2], &[2, 4]),
        ] {
            assert_eq!(read(layout, from, to), None, "{layout:?} {from:?} {to:?}");
        }
    }
}
