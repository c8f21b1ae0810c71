//! `[net.*]`: the network.

use super::LAYOUT;
use meanflow_data::Description;
use meanflow_nets::{
    DitConfig, ImfDitConfig, MlpConfig, NetConfig, UnetConfig,
    unet::{Encoder, TimeFeatures},
};
use meanflow_settings::{Choice, ConfigError, Document, Flag, Named, Number, Or, Reader, Series, Within};

/// Names of the networks, with a line about each.
pub(super) const KINDS: [(&str, &str); 4] = [
    ("dit", "diffusion transformer of MeanFlow, for images (arXiv 2505.13447)"),
    ("imf-dit", "transformer of improved MeanFlow, guidance as an input (arXiv 2512.02012)"),
    ("unet", "U-Net of score-based models, for square images (arXiv 2011.13456)"),
    ("mlp", "multilayer perceptron, for points in the plane"),
];

/// Reads the keys of a network of this kind.
pub(super) fn of_kind(kind: &str, r: &mut Reader) -> NetConfig {
    match kind {
        "dit" => NetConfig::Dit(dit(r)),
        "imf-dit" => NetConfig::ImfDit(imf_dit(r)),
        "mlp" => NetConfig::Mlp(mlp(r)),
        "unet" => NetConfig::Unet(unet(r)),
        other => unreachable!("`{other}` is not read here"),
    }
}

/// Reads the table and checks it against the shape of the data; `None` after a problem.
pub(super) fn read(root: &mut Reader, data: Option<&Description>) -> Option<NetConfig> {
    root.kind("net", &KINDS.map(|(name, _)| name), None, |kind, r| {
        let net = of_kind(kind, r);
        if !r.is_sound() {
            return None;
        }
        // Without the shape of the data, constraints between keys are left for when there is one.
        if let Some(Err(error)) = data.map(|data| net.check(data.shape)) {
            let key = error.key();
            r.fault(key, error, None);
        }
        Some(net)
    })?
}

/// The network of a table `[net.…]` by itself, as a file of weights holds it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn of_table(text: &str, shape: [usize; 3], classes: Option<usize>) -> Result<NetConfig, ConfigError> {
    let description = Description { shape, classes, items: None };
    let document = Document::of_text("net", text, LAYOUT)?;
    let (net, _) = document.read(|root, _| read(root, Some(&description))).only()?;
    Ok(net)
}

fn mlp(r: &mut Reader) -> MlpConfig {
    MlpConfig {
        width: r.need("width", Within::SIZE),
        depth: r.need("depth", Within::SIZE),
        octaves: r.get("octaves", Within(0, 64), 0),
    }
}

/// A preset gives the sizes that are not written.
fn dit(r: &mut Reader) -> DitConfig {
    let names = DitConfig::presets().into_iter().map(|(name, _)| name).collect();
    let preset = r.get("preset", Or("off", Named(names)), None).and_then(|name| DitConfig::preset(&name));
    let mut size = |key, of: fn(&DitConfig) -> usize| match &preset {
        Some(preset) => r.get(key, Within::SIZE, of(preset)),
        None => r.need(key, Within::SIZE),
    };
    let (patch, width) = (size("patch", |preset| preset.patch), size("width", |preset| preset.width));
    let (depth, heads) = (size("depth", |preset| preset.depth), size("heads", |preset| preset.heads));
    let ratio = preset.as_ref().map_or(4.0, |preset| preset.mlp_ratio);
    DitConfig { patch, width, depth, heads, mlp_ratio: r.get("mlp-ratio", Number::POSITIVE, ratio) }
}

/// A preset gives what is not written; without one, sizes must be written and the rest is as published.
fn imf_dit(r: &mut Reader) -> ImfDitConfig {
    let names = ImfDitConfig::presets().into_iter().map(|(name, _)| name).collect();
    let name = r.get("preset", Or("off", Named(names)), None);
    let preset = name.and_then(|name| ImfDitConfig::preset(&name));
    let mut size = |key, of: fn(&ImfDitConfig) -> usize| match &preset {
        Some(preset) => r.get(key, Within::SIZE, of(preset)),
        None => r.need(key, Within::SIZE),
    };
    let (patch, width) = (size("patch", |preset| preset.patch), size("width", |preset| preset.width));
    let (depth, heads) = (size("depth", |preset| preset.depth), size("heads", |preset| preset.heads));
    let published = ImfDitConfig::published();
    let head_depth = preset.map_or(depth.min(published.head_depth), |preset| preset.head_depth);
    let tokens = || Within(1, 1 << 10);
    ImfDitConfig {
        patch,
        width,
        depth,
        heads,
        head_depth: r.get("head-depth", Within(0, 1 << 16), head_depth),
        mlp_ratio: r.get("mlp-ratio", Number::POSITIVE, published.mlp_ratio),
        class_tokens: r.get("class-tokens", tokens(), published.class_tokens),
        scale_tokens: r.get("scale-tokens", tokens(), published.scale_tokens),
        interval_tokens: r.get("interval-tokens", tokens(), published.interval_tokens),
        time_tokens: r.get("time-tokens", tokens(), published.time_tokens),
    }
}

/// A preset gives what is not written; without one, sizes must be written and the rest is DDPM++.
fn unet(r: &mut Reader) -> UnetConfig {
    let names = UnetConfig::presets().into_iter().map(|(name, _)| name.to_owned()).collect();
    let preset = r.get("preset", Or("off", Named(names)), None).and_then(|name| UnetConfig::preset(&name));
    let (width, multipliers, blocks) = match &preset {
        Some(preset) => (
            r.get("width", Within::SIZE, preset.width),
            r.get("multipliers", Series(Within::SIZE, 1), preset.multipliers.clone()),
            r.get("blocks", Within::SIZE, preset.blocks),
        ),
        None => (
            r.need("width", Within::SIZE),
            r.need("multipliers", Series(Within::SIZE, 1)),
            r.need("blocks", Within::SIZE),
        ),
    };
    let rest = preset.unwrap_or_else(UnetConfig::ddpmpp);
    UnetConfig {
        width,
        multipliers,
        blocks,
        attention: r.get("attention", Series(Within::SIZE, 0), rest.attention),
        embedding_multiplier: r.get("embedding-multiplier", Within::SIZE, rest.embedding_multiplier),
        time_features: r.get(
            "time-features",
            Choice(vec![("positional", TimeFeatures::Positional), ("fourier", TimeFeatures::Fourier)]),
            rest.time_features,
        ),
        time_multiplier: r.get("time-multiplier", Within::SIZE, rest.time_multiplier),
        encoder: r.get(
            "encoder",
            Choice(vec![("standard", Encoder::Standard), ("residual", Encoder::Residual)]),
            rest.encoder,
        ),
        filter: r.get("filter", Series(Number::ANY, 2), rest.filter),
        resample_blocks: r.get("resample-blocks", Flag, rest.resample_blocks),
        augment: r.get("augment-labels", Within(0, 1 << 16), rest.augment),
        dropout: r.get("dropout", Number::BELOW_ONE, rest.dropout),
    }
}
