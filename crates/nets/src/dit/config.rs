//! Sizes of a DiT, and its presets.

use meanflow_core::Clock;

/// Sizes of a [`Dit`](super::Dit).
#[derive(Clone, Debug, PartialEq)]
pub struct DitConfig {
    /// Side of a patch, in pixels; divides the image's height and width.
    pub patch: usize,
    /// Features of a token; a multiple of 4 and of `heads`.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Hidden features of a block's perceptron per feature of a token; 4 in every published preset.
    pub mlp_ratio: f64,
    /// Which numbers of its two times it is told, each by an embedder of its own; `t,h` is published.
    pub clock: Clock,
}

/// One row of the preset table.
struct Family {
    name: &'static str,
    depth: usize,
    width: usize,
    heads: usize,
    patches: &'static [usize],
}

/// Published sizes (DiT, arXiv 2212.09748; `m` is MeanFlow's own, arXiv 2505.13447 table 4), then sizes for two CPU cores.
#[rustfmt::skip]
const FAMILIES: [Family; 7] = [
    Family { name: "s",    depth: 12, width: 384,  heads: 6,  patches: &[2, 4, 8] },
    Family { name: "b",    depth: 12, width: 768,  heads: 12, patches: &[2, 4, 8] },
    Family { name: "m",    depth: 16, width: 1024, heads: 16, patches: &[2, 4, 8] },
    Family { name: "l",    depth: 24, width: 1024, heads: 16, patches: &[2, 4, 8] },
    Family { name: "xl",   depth: 28, width: 1152, heads: 16, patches: &[2, 4, 8] },
    Family { name: "nano", depth: 4,  width: 128,  heads: 4,  patches: &[2, 4, 7, 8] },
    Family { name: "tiny", depth: 6,  width: 192,  heads: 3,  patches: &[2, 4, 7, 8] },
];

impl DitConfig {
    /// The preset of this name: a size of [`DitConfig::presets`] and a patch, such as `b4`, `xl2` or `nano7`.
    pub fn preset(name: &str) -> Option<Self> {
        FAMILIES.iter().find_map(|family| {
            let patch = name.strip_prefix(family.name)?;
            let patch = family.patches.iter().find(|p| p.to_string() == patch)?;
            Some(family.with_patch(*patch))
        })
    }

    /// Every preset with its name.
    pub fn presets() -> Vec<(String, Self)> {
        let of = |family: &'static Family| {
            family.patches.iter().map(|patch| (format!("{}{patch}", family.name), family.with_patch(*patch)))
        };
        FAMILIES.iter().flat_map(of).collect()
    }

    /// Hidden features of a block's perceptron.
    pub(crate) fn hidden(&self) -> usize {
        (self.width as f64 * self.mlp_ratio) as usize
    }

    /// Tokens of an image `[channels, height, width]`.
    pub(crate) fn grid(&self, shape: [usize; 3]) -> [usize; 2] {
        [shape[1] / self.patch, shape[2] / self.patch]
    }

    /// Numbers in a patch.
    pub(crate) fn patch_size(&self, channels: usize) -> usize {
        self.patch * self.patch * channels
    }
}

impl Family {
    fn with_patch(&self, patch: usize) -> DitConfig {
        let Self { width, depth, heads, .. } = *self;
        DitConfig { patch, width, depth, heads, mlp_ratio: 4.0, clock: Clock::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::NetError, network::Network};

    #[test]
    fn presets_have_the_published_parameter_counts() {
        let published = [
            ("s2", 33_105_424),
            ("b4", 131_165_248),
            ("b2", 131_091_472),
            ("m2", 308_019_216),
            ("l2", 459_137_040),
            ("xl2", 676_440_592),
        ];
        for (name, count) in published {
            let config = DitConfig::preset(name).unwrap();
            assert_eq!(config.parameters([4, 32, 32], Some(1000)), count, "{name}");
        }
    }

    /// Table 4 of arXiv 2212.09748, in 10⁹ multiplications, which are two operations here. The published ones have one time.
    #[test]
    fn presets_have_the_published_cost() {
        for (name, published) in [("s2", 6.06), ("b4", 5.56), ("b2", 23.01), ("l2", 80.71), ("xl2", 118.64)] {
            let config = DitConfig::preset(name).unwrap();
            let cost = config.flops([4, 32, 32]) / 2e9;
            assert!((cost / published - 1.0).abs() < 0.005, "{name}: {cost}");
        }
    }

    #[test]
    fn every_listed_preset_is_found_and_valid() {
        for (name, config) in DitConfig::presets() {
            assert_eq!(DitConfig::preset(&name).as_ref(), Some(&config), "{name}");
            assert_eq!(config.constraints([3, 56, 56]), [], "{name}");
        }
        for name in ["", "b", "b3", "x2", "xl", "2", "b22", "B2"] {
            assert_eq!(DitConfig::preset(name), None, "{name}");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let good = DitConfig::preset("nano7").unwrap();
        let shape = [1, 28, 28];
        assert_eq!(good.constraints(shape), []);
        let bad = |change: &dyn Fn(&mut DitConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config.constraints(shape)
        };
        assert_eq!(bad(&|c| c.patch = 5), [NetError::Patch { patch: 5, height: 28, width: 28 }]);
        assert_eq!(bad(&|c| c.heads = 3), [NetError::Heads { heads: 3, width: 128 }]);
        assert_eq!(bad(&|c| (c.width, c.heads) = (126, 3)), [NetError::Width { width: 126 }]);
        assert_eq!(bad(&|c| c.depth = 0), [NetError::Zero { key: "depth" }]);
        assert_eq!(bad(&|c| c.patch = 0), [NetError::Zero { key: "patch" }]);
        assert!(matches!(bad(&|c| c.mlp_ratio = f64::NAN)[..], [NetError::Ratio { .. }]));
        let several = bad(&|c| (c.patch, c.width, c.heads) = (5, 126, 4));
        assert_eq!(several.iter().map(NetError::key).collect::<Vec<_>>(), ["patch", "heads", "width"]);
    }
}
