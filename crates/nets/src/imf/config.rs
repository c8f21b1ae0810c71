//! Sizes of an iMF transformer, and its presets.

use crate::network::Network;

/// Sizes of an [`ImfDit`](super::ImfDit).
#[derive(Clone, Debug, PartialEq)]
pub struct ImfDitConfig {
    /// Side of a patch, in pixels; divides the image's height and width.
    pub patch: usize,
    /// Features of a token.
    pub width: usize,
    /// Blocks from the input to the average velocity.
    pub depth: usize,
    /// How many of them, the last, belong to the average velocity alone; the auxiliary head has as many of its own.
    pub head_depth: usize,
    /// Attention heads; each has an even number of features.
    pub heads: usize,
    /// Hidden features of a block's perceptron per feature of a token; 8/3 in every published preset.
    pub mlp_ratio: f64,
    /// Tokens that carry the class.
    pub class_tokens: usize,
    /// Tokens that carry the scale of guidance.
    pub scale_tokens: usize,
    /// Tokens that carry one end of the interval of guidance.
    pub interval_tokens: usize,
    /// Tokens that carry `h = t − r`.
    pub time_tokens: usize,
}

/// One row of the preset table.
struct Family {
    name: &'static str,
    depth: usize,
    head_depth: usize,
    width: usize,
    heads: usize,
    patches: &'static [usize],
}

/// Published sizes (iMF, arXiv 2512.02012), then sizes for two CPU cores.
#[rustfmt::skip]
const FAMILIES: [Family; 6] = [
    Family { name: "b",    depth: 12, head_depth: 8, width: 768,  heads: 12, patches: &[2, 4] },
    Family { name: "m",    depth: 24, head_depth: 8, width: 768,  heads: 12, patches: &[2, 4] },
    Family { name: "l",    depth: 32, head_depth: 8, width: 1024, heads: 16, patches: &[2, 4] },
    Family { name: "xl",   depth: 48, head_depth: 8, width: 1024, heads: 16, patches: &[2, 4] },
    Family { name: "nano", depth: 4,  head_depth: 1, width: 128,  heads: 4,  patches: &[2, 4, 7, 8] },
    Family { name: "tiny", depth: 6,  head_depth: 2, width: 192,  heads: 3,  patches: &[2, 4, 7, 8] },
];

impl ImfDitConfig {
    /// The preset of this name: a size and a patch, such as `b2`, `xl2` or `nano7`.
    pub fn preset(name: &str) -> Option<Self> {
        Self::presets().into_iter().find_map(|(known, config)| (known == name).then_some(config))
    }

    /// Every preset with its name.
    pub fn presets() -> Vec<(String, Self)> {
        let of = |family: &'static Family| {
            family.patches.iter().map(|patch| (format!("{}{patch}", family.name), family.with_patch(*patch)))
        };
        FAMILIES.iter().flat_map(of).collect()
    }

    /// The published `b2`: what is not a size is the same in every published network.
    pub fn published() -> Self {
        FAMILIES[0].with_patch(2)
    }

    /// The same network as sampling needs it: without the blocks of the auxiliary head.
    pub fn inference_parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        self.parameters(shape, classes) - self.head_depth * self.block_parameters()
    }

    /// Hidden features of a block's perceptron.
    pub(crate) fn hidden(&self) -> usize {
        (self.width as f64 * self.mlp_ratio) as usize
    }

    /// Tokens in front of those of the patches.
    pub(crate) fn prefix(&self) -> usize {
        self.class_tokens + self.scale_tokens + 2 * self.interval_tokens + self.time_tokens
    }

    /// Numbers in a patch.
    pub(crate) fn patch_size(&self, channels: usize) -> usize {
        self.patch * self.patch * channels
    }

    pub(super) fn block_parameters(&self) -> usize {
        let (d, head) = (self.width, self.width / self.heads);
        4 * d * d + 3 * d * self.hidden() + 2 * head + 4 * d
    }
}

impl Family {
    fn with_patch(&self, patch: usize) -> ImfDitConfig {
        ImfDitConfig {
            patch,
            width: self.width,
            depth: self.depth,
            head_depth: self.head_depth,
            heads: self.heads,
            mlp_ratio: 8.0 / 3.0,
            class_tokens: 8,
            scale_tokens: 4,
            interval_tokens: 2,
            time_tokens: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::NetError;

    #[test]
    fn presets_have_the_published_parameter_counts() {
        // Millions as published, for sampling and for training.
        let published = [
            ("b2", 88_948_256, 88.95, 145_596_960, 145.6),
            ("m2", 173_921_312, 173.9, 230_570_016, 230.6),
            ("l2", 409_071_648, 409.1, 509_752_352, 509.8),
            ("xl2", 610_433_056, 610.4, 711_113_760, 711.1),
        ];
        for (name, inference, millions, training, training_millions) in published {
            let config = ImfDitConfig::preset(name).unwrap();
            let (shape, classes) = ([4, 32, 32], Some(1000));
            assert_eq!(config.parameters(shape, classes), training, "{name}");
            assert_eq!(config.inference_parameters(shape, classes), inference, "{name}");
            assert!((inference as f64 / 1e6 - millions).abs() < 0.05, "{name}");
            assert!((training as f64 / 1e6 - training_millions).abs() < 0.05, "{name}");
        }
    }

    #[test]
    fn every_listed_preset_is_found_and_valid() {
        for (name, config) in ImfDitConfig::presets() {
            assert_eq!(ImfDitConfig::preset(&name).as_ref(), Some(&config), "{name}");
            assert_eq!(config.constraints([3, 56, 56]), [], "{name}");
        }
        assert_eq!(ImfDitConfig::preset("s2"), None);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let good = ImfDitConfig::preset("nano7").unwrap();
        let bad = |change: &dyn Fn(&mut ImfDitConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config.constraints([1, 28, 28])
        };
        assert_eq!(bad(&|c| c.patch = 5), [NetError::Patch { patch: 5, height: 28, width: 28 }]);
        assert_eq!(bad(&|c| c.heads = 3), [NetError::Heads { heads: 3, width: 128 }]);
        assert_eq!(bad(&|c| c.width = 60), [NetError::Rotary { features: 15 }]);
        assert_eq!(bad(&|c| c.head_depth = 5), [NetError::HeadDepth { head_depth: 5, depth: 4 }]);
        assert_eq!(bad(&|c| c.depth = 0), [NetError::Zero { key: "depth" }]);
        assert!(matches!(bad(&|c| c.mlp_ratio = f64::NAN)[..], [NetError::Ratio { .. }]));
    }
}
