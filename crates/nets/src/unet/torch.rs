//! Weights under the names of the official PyTorch MeanFlow U-Net (`state_dict` of `Gsunshine/py-meanflow`).
//!
//! A torch linear layer is `[out, in]` where Burn's is `[in, out]`; convolutions agree.

use super::UnetConfig;
use crate::{layout::Layout, weights::Names};

/// The torch names of a [`SongUnet`](super::SongUnet).
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
