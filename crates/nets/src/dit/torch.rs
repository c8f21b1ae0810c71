//! Names of a DiT's parameters in PyTorch: those of facebookresearch/DiT and SiT, with the embedder of `t − r` beside that of `t`.

use crate::{layout::Layout, weights::Names};

/// The torch names of a [`Dit`](crate::Dit).
#[derive(Clone, Copy, Debug)]
pub struct TorchDitNames {
    /// Channels of a sample.
    pub channels: usize,
}

impl Names for TorchDitNames {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        let (leaf, module) = path.split_last().expect("a path has a last part");
        let name = match module {
            ["x_embedder"] => "x_embedder.proj".to_owned(),
            ["y_embedder"] => "y_embedder.embedding_table".to_owned(),
            [embedder, "fc1"] => format!("{embedder}.mlp.0"),
            [embedder, "fc2"] => format!("{embedder}.mlp.2"),
            ["blocks", index, layer @ ("qkv" | "proj")] => format!("blocks.{index}.attn.{layer}"),
            ["blocks", index, layer @ ("fc1" | "fc2")] => format!("blocks.{index}.mlp.{layer}"),
            [.., "modulation"] => format!("{}.adaLN_modulation.1", module[..module.len() - 1].join(".")),
            other => other.join("."),
        };
        let (leaf, layout) = match (*leaf, module) {
            ("table", _) => ("weight", Layout::Same),
            ("weight", ["x_embedder"]) => ("weight", Layout::PatchKernel { channels: self.channels }),
            (leaf, ["final_layer", "linear"]) => (leaf, Layout::Head { channels: self.channels }),
            ("weight", _) => ("weight", Layout::Transposed),
            (leaf, _) => (leaf, Layout::Same),
        };
        (format!("{name}.{leaf}"), layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_official_ones() {
        for (path, name, layout) in [
            ("x_embedder.weight", "x_embedder.proj.weight", Layout::PatchKernel { channels: 4 }),
            ("x_embedder.bias", "x_embedder.proj.bias", Layout::Same),
            ("t_embedder.fc1.weight", "t_embedder.mlp.0.weight", Layout::Transposed),
            ("h_embedder.fc2.bias", "h_embedder.mlp.2.bias", Layout::Same),
            ("y_embedder.table", "y_embedder.embedding_table.weight", Layout::Same),
            ("blocks.3.qkv.weight", "blocks.3.attn.qkv.weight", Layout::Transposed),
            ("blocks.3.proj.bias", "blocks.3.attn.proj.bias", Layout::Same),
            ("blocks.11.fc2.weight", "blocks.11.mlp.fc2.weight", Layout::Transposed),
            ("blocks.0.modulation.weight", "blocks.0.adaLN_modulation.1.weight", Layout::Transposed),
            ("final_layer.modulation.bias", "final_layer.adaLN_modulation.1.bias", Layout::Same),
            ("final_layer.linear.weight", "final_layer.linear.weight", Layout::Head { channels: 4 }),
            ("final_layer.linear.bias", "final_layer.linear.bias", Layout::Head { channels: 4 }),
        ] {
            let path: Vec<&str> = path.split('.').collect();
            assert_eq!(TorchDitNames { channels: 4 }.of(&path), (name.to_owned(), layout), "{path:?}");
        }
    }
}
