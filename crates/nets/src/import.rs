//! The programs whose weight files a network can come from, or go to.

use crate::{
    DitConfig, NetConfig,
    embed::grid_positions,
    flax::{DitNames, ImfDitNames},
    layout::Layout,
    torch::UnetNames,
    torch_dit::TorchDitNames,
    unet::square,
    weights::Names,
};
use meanflow_weights::HostTensor;

/// How a program names the parameters of a network.
pub struct Convention {
    /// One word, for the command line.
    pub key: &'static str,
    /// In words.
    pub name: &'static str,
    /// Last parts of the names of tensors that are no parameters, and what they hold for this network.
    pub constants: Vec<(&'static str, HostTensor)>,
    names: Box<dyn Names>,
}

impl Convention {
    /// Name and layout of the parameter at this path (`Dit.blocks.0.qkv.bias`) of a [`Net`](crate::Net).
    pub fn entry(&self, path: &str) -> (String, Layout) {
        self.names.of(&path.split('.').collect::<Vec<_>>())
    }
}

impl NetConfig {
    /// The conventions in which weights of this network for samples of `shape` may come; the first is that of checkpoints and
    /// exported files.
    pub fn conventions(&self, shape: [usize; 3]) -> Vec<Convention> {
        let convention =
            |key, name, constants, names: Box<dyn Names>| Convention { key, name, constants, names };
        let own = convention("meanflow", "meanflow", vec![], Box::new(Own));
        // Both official DiTs keep the fixed positions among the weights.
        let positions = |config: &DitConfig| {
            let ([rows, columns], width) = (config.grid(shape), config.width);
            let values = grid_positions(rows, columns, width).into_iter().map(|value| value as f32).collect();
            vec![("pos_embed", HostTensor { shape: vec![1, rows * columns, width], values })]
        };
        let others = match self {
            Self::Mlp(_) => vec![],
            Self::Dit(config) => vec![
                convention(
                    "flax",
                    "Flax (Gsunshine/meanflow)",
                    positions(config),
                    Box::new(Within(DitNames)),
                ),
                convention(
                    "torch",
                    "PyTorch (DiT, SiT)",
                    positions(config),
                    Box::new(Within(TorchDitNames { channels: shape[0] })),
                ),
            ],
            Self::ImfDit(_) => {
                vec![convention("flax", "Flax (Lyy-iiis/imeanflow)", vec![], Box::new(Within(ImfDitNames)))]
            }
            Self::Unet(config) => vec![convention(
                "torch",
                "PyTorch (Gsunshine/py-meanflow)",
                vec![("resample_filter", square(&config.filter))],
                Box::new(Within(UnetNames::new(config, shape))),
            )],
        };
        std::iter::once(own).chain(others).collect()
    }
}

/// Names as they are here.
struct Own;

impl Names for Own {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        (path.join("."), Layout::Same)
    }
}

/// Names within the network: a [`Net`](crate::Net) puts its kind before them, as in `Dit.blocks.0.qkv.bias`.
struct Within<N>(N);

impl<N: Names> Names for Within<N> {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        self.0.of(&path[1..])
    }
}
