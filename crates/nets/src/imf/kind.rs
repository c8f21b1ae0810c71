//! What `[net.imf-dit]` is to the rest of the program.

use super::{ImfDit, ImfDitConfig};
use crate::{
    embed::{label_parameters, time_flops, time_parameters},
    error::{NetError, positive},
    flax::ImfDitNames,
    import::Convention,
    init::Init,
    network::{Activations, Network},
};
use burn::tensor::backend::Backend;
use meanflow_settings::{Named, Number, Or, Reader, Within};

impl Network for ImfDitConfig {
    const NAME: &'static str = "imf-dit";
    const ABOUT: &'static str = "transformer of improved MeanFlow, guidance as an input (arXiv 2512.02012)";

    type Module<B: Backend> = ImfDit<B>;

    /// A preset gives what is not written; without one, sizes must be written and the rest is as published.
    fn read(r: &mut Reader) -> Self {
        let names = Self::presets().into_iter().map(|(name, _)| name).collect();
        let name = r.get("preset", Or("off", Named(names)), None);
        let preset = name.and_then(|name| Self::preset(&name));
        let mut size = |key, of: fn(&Self) -> usize| match &preset {
            Some(preset) => r.get(key, Within::SIZE, of(preset)),
            None => r.need(key, Within::SIZE),
        };
        let (patch, width) = (size("patch", |preset| preset.patch), size("width", |preset| preset.width));
        let (depth, heads) = (size("depth", |preset| preset.depth), size("heads", |preset| preset.heads));
        let published = Self::published();
        let head_depth = preset.map_or(depth.min(published.head_depth), |preset| preset.head_depth);
        let tokens = || Within(1, 1 << 10);
        Self {
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

    fn constraints(&self, shape: [usize; 3]) -> Vec<NetError> {
        let (patch, width, heads) = (self.patch, self.width, self.heads);
        let (depth, head_depth) = (self.depth, self.head_depth);
        let mut errors = positive(&[
            (patch, "patch"),
            (width, "width"),
            (depth, "depth"),
            (heads, "heads"),
            (self.class_tokens, "class-tokens"),
            (self.scale_tokens, "scale-tokens"),
            (self.interval_tokens, "interval-tokens"),
            (self.time_tokens, "time-tokens"),
        ]);
        if !errors.is_empty() {
            return errors;
        }
        let [_, image_height, image_width] = shape;
        if !image_height.is_multiple_of(patch) || !image_width.is_multiple_of(patch) {
            errors.push(NetError::Patch { patch, height: image_height, width: image_width });
        }
        if !width.is_multiple_of(heads) {
            errors.push(NetError::Heads { heads, width });
        } else if !(width / heads).is_multiple_of(2) {
            errors.push(NetError::Rotary { features: width / heads });
        }
        if head_depth > depth {
            errors.push(NetError::HeadDepth { head_depth, depth });
        }
        if !self.mlp_ratio.is_finite() || self.mlp_ratio <= 0.0 || self.hidden() == 0 {
            errors.push(NetError::Ratio { ratio: self.mlp_ratio.to_string(), width });
        }
        errors
    }

    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        let (d, patch) = (self.width, self.patch_size(shape[0]));
        let output = d + (d + 1) * patch;
        (patch + 1) * d
            + 4 * time_parameters(d)
            + label_parameters(classes, d)
            + self.prefix() * d
            + (self.depth + self.head_depth) * self.block_parameters()
            + 2 * output
    }

    /// Of the average velocity: the blocks of the other head are not run for it.
    fn flops(&self, shape: [usize; 3]) -> f64 {
        let [channels, height, width] = shape;
        let patches = (height / self.patch) * (width / self.patch);
        let [patches, positions, d, hidden, patch, depth] = [
            patches,
            patches + self.prefix(),
            self.width,
            self.hidden(),
            self.patch_size(channels),
            self.depth,
        ]
        .map(|size| size as f64);
        // Queries, keys, values and output; scores and sums; three layers of the gated perceptron.
        let block = positions * 4.0 * d * d + 2.0 * positions * positions * d + positions * 3.0 * d * hidden;
        let ends = 2.0 * patches * patch * d;
        2.0 * (depth * block + ends) + 4.0 * time_flops(self.width)
    }

    fn activations(&self, shape: [usize; 3]) -> Activations {
        let [_, height, width] = shape;
        let tokens = ((height / self.patch) * (width / self.patch) + self.prefix()) as f64;
        let features = tokens * self.width as f64 * (20.0 + 3.0 * self.mlp_ratio);
        let blocks = self.depth + self.head_depth;
        let floats = blocks as f64 * (features + 2.0 * self.heads as f64 * tokens * tokens);
        Activations { floats, blocks }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> ImfDit<B> {
        ImfDit::new(self, shape, classes, init)
    }

    fn guided(&self) -> bool {
        true
    }

    fn conventions(&self, _shape: [usize; 3]) -> Vec<Convention> {
        vec![Convention::new("flax", "Flax (Lyy-iiis/imeanflow)", ImfDitNames, Vec::new())]
    }
}
