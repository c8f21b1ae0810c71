//! Weights under the names of the official PyTorch MeanFlow U-Net (`state_dict` of `Gsunshine/py-meanflow`).
//!
//! A torch linear layer is `[out, in]` where Burn's is `[in, out]`; convolutions agree.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use meanflow_weights::HostTensor;

use crate::{
    SongUnet, UnetConfig,
    layout::Layout,
    weights::{self, Names, WeightsError},
};

/// Fourier frequencies, a buffer.
const FREQUENCIES: &str = "map_noise.freqs";
/// The resampling filter, a buffer that belongs to the configuration.
const FILTER: &str = ".resample_filter";

/// Replaces every weight of `net` by the one of its torch name, relative to the network (`enc.32x32_conv.weight`). Buffers may
/// be there: Fourier frequencies are taken, filters are passed over.
///
/// # Errors
/// If a weight is missing, left over, or of another shape.
pub fn load<B: Backend>(
    net: SongUnet<B>,
    weights: &BTreeMap<String, HostTensor>,
) -> Result<SongUnet<B>, WeightsError> {
    let mut weights = weights.clone();
    weights.retain(|name, _| !name.ends_with(FILTER));
    let names = UnetNames::of(&net);
    let net = match weights.remove(FREQUENCIES) {
        Some(HostTensor { shape, values }) => net.with_fourier(&values).map_err(|expected| {
            let (name, expected) = (FREQUENCIES.to_owned(), vec![expected]);
            WeightsError::Shape { name, found: shape, expected }
        })?,
        None => net,
    };
    weights::load(net, &names, &weights)
}

/// The torch names of a [`SongUnet`].
#[derive(Clone, Copy, Debug)]
pub struct UnetNames {
    side: usize,
    levels: usize,
}

impl UnetNames {
    /// The names for a network of this configuration on samples of `shape`.
    pub fn new(config: &UnetConfig, shape: [usize; 3]) -> Self {
        Self { side: shape[1], levels: config.multipliers.len() }
    }

    /// The names for this network.
    pub fn of<B: Backend>(net: &SongUnet<B>) -> Self {
        let (side, levels) = net.sides();
        Self { side, levels }
    }

    /// `32x32` for level `level`, counted from the finest.
    fn size(&self, level: usize) -> String {
        let side = self.side >> level;
        format!("{side}x{side}")
    }

    /// `enc.32x32` or `dec.32x32` for level `index` in the order in which levels run, and whether it is the coarsest.
    fn level(&self, part: &str, index: &str) -> (String, bool) {
        let index: usize = index.parse().expect("levels are numbered");
        let last = self.levels - 1;
        match part {
            "encoder" => (format!("enc.{}", self.size(index)), index == last),
            _ => (format!("dec.{}", self.size(last - index)), index == 0),
        }
    }
}

impl Names for UnetNames {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        let name = match path {
            ["mapping", rest @ ..] => rest.join("."),
            ["input", leaf] => format!("enc.{}_conv.{leaf}", self.size(0)),
            ["output_norm", leaf] => format!("dec.{}_aux_norm.{leaf}", self.size(0)),
            ["output", leaf] => format!("dec.{}_aux_conv.{leaf}", self.size(0)),
            [part, index, "entry", entry, rest @ ..] => {
                let (level, coarsest) = self.level(part, index);
                let entry = match (*part, coarsest) {
                    ("encoder", _) => "down".to_owned(),
                    (_, true) => format!("in{entry}"),
                    (_, false) => "up".to_owned(),
                };
                format!("{level}_{entry}.{}", rest.join("."))
            }
            [part, index, "residual", "conv", leaf] => {
                format!("{}_aux_residual.{leaf}", self.level(part, index).0)
            }
            [part, index, "blocks", block, rest @ ..] => {
                format!("{}_block{block}.{}", self.level(part, index).0, rest.join("."))
            }
            other => other.join("."),
        };
        let linear = matches!(path, [.., "affine", "weight"] | ["mapping", _, "weight"]);
        (name, if linear { Layout::Transposed } else { Layout::Same })
    }
}
