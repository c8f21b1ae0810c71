//! Weights under the names of the official JAX codes (Flax): `Gsunshine/meanflow` and `Lyy-iiis/imeanflow`.
//!
//! Names are relative to the network (`blocks.layers_0.attn.qkv._flax_linear.kernel`). Layouts agree up to reshaping: a Flax `kernel` is `[in, out]` like Burn's, and the patch kernel `[h, w, in, out]` is our
//! patch embedder's `[patch²·channels, width]` read in order, because patches are flattened as `(row, column, channel)`.

use crate::{layout::Layout, weights::Names};

/// The Flax names of a [`Dit`](crate::Dit).
#[derive(Clone, Copy, Debug)]
pub struct DitNames;

impl Names for DitNames {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        let (leaf, module) = path.split_last().expect("a parameter has a name");
        let module = match module {
            ["blocks", index, layer] => {
                let layer = match *layer {
                    "qkv" | "proj" => format!("attn.{layer}"),
                    "fc1" | "fc2" => format!("mlp.{layer}"),
                    _ => "adaLN_modulation.layers_1".to_string(),
                };
                format!("blocks.layers_{index}.{layer}._flax_linear")
            }
            ["final_layer", "modulation"] => "final_layer.adaLN_modulation.layers_1._flax_linear".to_string(),
            other => embedder(other).unwrap_or_else(|| format!("{}._flax_linear", other.join("."))),
        };
        (format!("{module}.{}", leaf_name(leaf)), Layout::Same)
    }
}

/// The Flax names of an [`ImfDit`](crate::ImfDit) (`Lyy-iiis/imeanflow`). Layouts are those of the DiT.
#[derive(Clone, Copy, Debug)]
pub struct ImfDitNames;

impl Names for ImfDitNames {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        let (leaf, module) = path.split_last().expect("a parameter has a name");
        let module = match module {
            // Tokens are parameters of the network itself.
            [] => return (leaf.to_string(), Layout::Same),
            ["t_min_embedder", layer] => embedder(&["cfg_t_start_embedder", layer]),
            ["t_max_embedder", layer] => embedder(&["cfg_t_end_embedder", layer]),
            [part, "linear"] => Some(format!("{part}.linear._flax_linear")),
            [part @ ("shared_blocks" | "u_heads" | "v_heads"), index, layer @ ..] => {
                let block = format!("{part}_{index}");
                Some(match layer {
                    ["q_norm" | "k_norm"] => format!("{block}.attn.{}", layer[0]),
                    ["norm1" | "norm2"] => format!("{block}.{}", layer[0]),
                    ["w1" | "w2" | "w3"] => format!("{block}.mlp.{}._flax_linear", layer[0]),
                    [projection] => format!("{block}.attn.{projection}._flax_linear"),
                    // Gates.
                    _ => block,
                })
            }
            other => embedder(other),
        };
        let module = module.unwrap_or_else(|| path[..path.len() - 1].join("."));
        (format!("{module}.{}", leaf_name(leaf)), Layout::Same)
    }
}

/// The module that embeds patches, classes or a number.
fn embedder(module: &[&str]) -> Option<String> {
    Some(match module {
        ["x_embedder"] => "x_embedder.proj".to_string(),
        ["y_embedder"] => "y_embedder.embedding_table._flax_embedding".to_string(),
        [embedder, "fc1"] => format!("{embedder}.mlp.layers_0._flax_linear"),
        [embedder, "fc2"] => format!("{embedder}.mlp.layers_2._flax_linear"),
        _ => return None,
    })
}

fn leaf_name(leaf: &str) -> &str {
    match leaf {
        "weight" => "kernel",
        "table" => "embedding",
        other => other,
    }
}
