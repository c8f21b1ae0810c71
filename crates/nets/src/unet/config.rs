//! Sizes of a U-Net, its presets and its topology.

use super::block::{BlockSpec, Change};
use meanflow_core::Clock;

/// How a time becomes features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFeatures {
    /// Sines and cosines at frequencies from 1 down to 1/10000 (DDPM++).
    Positional,
    /// Sines and cosines at random frequencies of standard deviation 16 (NCSN++).
    Fourier,
}

/// What the encoder gets at each halving of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoder {
    /// Nothing more (DDPM++).
    Standard,
    /// The image itself too, halved and convolved, added to the features (NCSN++).
    Residual,
}

/// Sizes and choices of a [`SongUnet`](super::SongUnet).
#[derive(Clone, Debug, PartialEq)]
pub struct UnetConfig {
    /// Channels at multiplier 1.
    pub width: usize,
    /// Channels of each level over `width`; the image's side is halved between levels.
    pub multipliers: Vec<usize>,
    /// Residual blocks of a level in the encoder; the decoder has one more.
    pub blocks: usize,
    /// Sides of the image at which blocks attend. The coarsest level attends once in any case.
    pub attention: Vec<usize>,
    /// Features of the embedding that every block takes, over `width`; 4 in every published network.
    pub embedding_multiplier: usize,
    /// Features of each time.
    pub time_features: TimeFeatures,
    /// Number of those features for each time, over `width`.
    pub time_multiplier: usize,
    /// Which numbers of its two times it is told; `t,h` is published.
    pub clock: Clock,
    /// What the encoder gets at each halving.
    pub encoder: Encoder,
    /// Filter of resampling, one axis, an even number of taps.
    pub filter: Vec<f64>,
    /// Whether resampling is inside a residual block of its own; otherwise it is bare, between blocks.
    pub resample_blocks: bool,
    /// Numbers that tell how an image was augmented; 0: not an input.
    pub augment: usize,
    /// Probability of dropout in every residual block.
    pub dropout: f64,
}

/// The official CIFAR-10 network of MeanFlow: 55,932,419 parameters for 3×32×32 without classes.
fn cifar10() -> UnetConfig {
    UnetConfig {
        width: 128,
        multipliers: vec![2, 2, 2],
        blocks: 4,
        attention: vec![16],
        embedding_multiplier: 4,
        time_features: TimeFeatures::Positional,
        time_multiplier: 2,
        clock: Clock::default(),
        encoder: Encoder::Standard,
        filter: vec![1.0, 3.0, 3.0, 1.0],
        resample_blocks: true,
        augment: 6,
        dropout: 0.2,
    }
}

/// A network for two CPU cores, of the family of [`UnetConfig::ddpmpp`].
fn small(width: usize, multipliers: &[usize], blocks: usize, attention: &[usize]) -> UnetConfig {
    UnetConfig {
        width,
        multipliers: multipliers.to_vec(),
        blocks,
        attention: attention.to_vec(),
        ..UnetConfig::ddpmpp()
    }
}

impl UnetConfig {
    /// DDPM++ at its CIFAR-10 sizes, without attention, augmentation labels and dropout.
    pub fn ddpmpp() -> Self {
        Self {
            attention: Vec::new(),
            time_multiplier: 1,
            filter: vec![1.0, 1.0],
            augment: 0,
            dropout: 0.0,
            ..cifar10()
        }
    }

    /// The preset of this name, see [`UnetConfig::presets`].
    pub fn preset(name: &str) -> Option<Self> {
        Self::presets().into_iter().find_map(|(known, config)| (known == name).then_some(config))
    }

    /// Every preset with its name: the official CIFAR-10 network; the two families of EDM (arXiv 2206.00364) at its CIFAR-10
    /// sizes, with two times; sizes for two CPU cores.
    pub fn presets() -> Vec<(&'static str, Self)> {
        let ddpmpp = UnetConfig { attention: vec![16], augment: 6, dropout: 0.13, ..Self::ddpmpp() };
        let ncsnpp = UnetConfig {
            time_features: TimeFeatures::Fourier,
            encoder: Encoder::Residual,
            dropout: 0.13,
            ..cifar10()
        };
        vec![
            ("cifar10", cifar10()),
            ("ddpmpp", ddpmpp),
            ("ncsnpp", ncsnpp),
            ("nano", small(16, &[1, 2], 1, &[])),
            ("tiny", UnetConfig { resample_blocks: false, ..small(32, &[1, 2, 2], 1, &[16]) }),
            ("small", small(64, &[1, 2, 2], 2, &[16])),
        ]
    }

    /// Features of one time.
    pub(crate) fn time_features(&self) -> usize {
        self.width * self.time_multiplier
    }

    /// Features of the embedding that every block takes.
    pub(crate) fn embedding(&self) -> usize {
        self.embedding_multiplier * self.width
    }

    /// Every block of the network for samples `[channels, side, side]`.
    pub(crate) fn topology(&self, [channels, _, side]: [usize; 3]) -> Topology {
        let last = self.multipliers.len() - 1;
        let side_of = |level: usize| side >> level;
        let block = |name: String, inputs, outputs, change, attention| BlockSpec {
            name,
            inputs,
            outputs,
            change,
            attention,
        };

        let mut encoder = Vec::new();
        let (mut width, mut image) = (self.width, channels);
        let mut skips = Vec::new();
        for (level, multiplier) in self.multipliers.iter().enumerate() {
            let size = side_of(level);
            let name = |part: &str| format!("enc.{size}x{size}_{part}");
            let mut parts = Level::new(size);
            if level > 0 {
                let change = Some((Change::Halve, side_of(level - 1)));
                parts.change = change;
                if self.resample_blocks {
                    parts.entry.push(block(name("down"), width, width, change, false));
                }
                if self.encoder == Encoder::Residual {
                    parts.residual = Some((image, width));
                    image = width;
                }
            }
            skips.push(width);
            for index in 0..self.blocks {
                let outputs = self.width * multiplier;
                let attention = self.attention.contains(&size);
                parts.blocks.push(block(name(&format!("block{index}")), width, outputs, None, attention));
                width = outputs;
                skips.push(width);
            }
            encoder.push(parts);
        }

        let mut decoder = Vec::new();
        for (level, multiplier) in self.multipliers.iter().enumerate().rev() {
            let size = side_of(level);
            let name = |part: &str| format!("dec.{size}x{size}_{part}");
            let mut parts = Level::new(size);
            if level == last {
                parts.entry.push(block(name("in0"), width, width, None, true));
                parts.entry.push(block(name("in1"), width, width, None, false));
            } else {
                let change = Some((Change::Double, side_of(level + 1)));
                parts.change = change;
                if self.resample_blocks {
                    parts.entry.push(block(name("up"), width, width, change, false));
                }
            }
            for index in 0..=self.blocks {
                let inputs = width + skips.pop().expect("the encoder pushed one for each block");
                width = self.width * multiplier;
                let attention = index == self.blocks && self.attention.contains(&size);
                parts.blocks.push(block(name(&format!("block{index}")), inputs, width, None, attention));
            }
            decoder.push(parts);
        }
        Topology { encoder, decoder, width }
    }
}

/// One level of the encoder or the decoder, before it is made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Level {
    /// The image's side.
    pub(crate) side: usize,
    /// Resampling on the way in, and the side before it.
    pub(crate) change: Option<(Change, usize)>,
    /// Blocks without a skip connection from the encoder: the one that resamples, or those at the turning point.
    pub(crate) entry: Vec<BlockSpec>,
    /// Channels in and out of the convolution of the image itself.
    pub(crate) residual: Option<(usize, usize)>,
    /// The other blocks.
    pub(crate) blocks: Vec<BlockSpec>,
}

impl Level {
    fn new(side: usize) -> Self {
        Self { side, change: None, entry: Vec::new(), residual: None, blocks: Vec::new() }
    }
}

/// All levels, in the order in which they run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Topology {
    pub(crate) encoder: Vec<Level>,
    pub(crate) decoder: Vec<Level>,
    /// Channels of the last block.
    pub(crate) width: usize,
}

impl Topology {
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &BlockSpec> {
        let levels = self.encoder.iter().chain(&self.decoder);
        levels.flat_map(|level| level.entry.iter().chain(&level.blocks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::NetError, network::Network};

    fn preset(name: &str) -> UnetConfig {
        UnetConfig::preset(name).unwrap()
    }

    #[test]
    fn the_cifar10_network_has_the_published_parameter_count() {
        let config = preset("cifar10");
        assert_eq!(config.parameters([3, 32, 32], None), 55_932_419);
        let plain = UnetConfig { augment: 0, ..config };
        assert_eq!(plain.parameters([3, 32, 32], None), 55_929_347);
    }

    #[test]
    fn the_yardstick_has_its_size() {
        let count = preset("tiny").parameters([1, 32, 32], None) as f64;
        // The yardstick of the benchmarks has 0.97 million parameters.
        assert!((count / 0.97e6 - 1.0).abs() < 0.03, "{count}");
    }

    #[test]
    fn the_topology_is_that_of_the_official_code() {
        let topology = preset("cifar10").topology([3, 32, 32]);
        let names = |levels: &[Level]| -> Vec<String> {
            let blocks = levels.iter().flat_map(|level| level.entry.iter().chain(&level.blocks));
            let short = |block: &BlockSpec| {
                let (inputs, outputs) = (block.inputs, block.outputs);
                let attention = if block.attention { " a" } else { "" };
                format!("{} {inputs}>{outputs}{attention}", &block.name[4..])
            };
            blocks.map(short).collect()
        };
        assert_eq!(
            names(&topology.encoder)[..7],
            [
                "32x32_block0 128>256",
                "32x32_block1 256>256",
                "32x32_block2 256>256",
                "32x32_block3 256>256",
                "16x16_down 256>256",
                "16x16_block0 256>256 a",
                "16x16_block1 256>256 a",
            ]
        );
        let decoder = names(&topology.decoder);
        assert_eq!(decoder[..3], ["8x8_in0 256>256 a", "8x8_in1 256>256", "8x8_block0 512>256"]);
        assert_eq!(
            decoder[7..],
            [
                "16x16_up 256>256",
                "16x16_block0 512>256",
                "16x16_block1 512>256",
                "16x16_block2 512>256",
                "16x16_block3 512>256",
                "16x16_block4 512>256 a",
                "32x32_up 256>256",
                "32x32_block0 512>256",
                "32x32_block1 512>256",
                "32x32_block2 512>256",
                "32x32_block3 512>256",
                "32x32_block4 384>256",
            ]
        );
    }

    #[test]
    fn every_listed_preset_is_valid() {
        for (name, config) in UnetConfig::presets() {
            assert_eq!(config.constraints([3, 32, 32]), [], "{name}");
        }
        assert_eq!(UnetConfig::preset("cifar"), None);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let good = preset("small");
        let bad = |shape: [usize; 3], change: &dyn Fn(&mut UnetConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config.constraints(shape)
        };
        let shape = [3, 32, 32];
        assert_eq!(bad([3, 32, 28], &|_| ()), [NetError::Square { height: 32, width: 28 }]);
        assert_eq!(
            bad([3, 30, 30], &|c| c.attention.clear()),
            [NetError::Halvings { size: 30, halvings: 2 }]
        );
        assert_eq!(
            bad(shape, &|c| c.attention = vec![16, 7]),
            [NetError::Attention { size: 7, sizes: vec![32, 16, 8] }]
        );
        assert_eq!(
            bad(shape, &|c| c.width = 33),
            [NetError::TimeFeatures { features: 33 }, NetError::Groups { channels: 33, groups: 8 }]
        );
        assert_eq!(bad(shape, &|c| c.width = 136), [NetError::Groups { channels: 136, groups: 32 }]);
        assert_eq!(bad(shape, &|c| c.multipliers.clear()), [NetError::Zero { key: "multipliers" }]);
        assert_eq!(bad(shape, &|c| c.multipliers = vec![1, 0]), [NetError::Zero { key: "multipliers" }]);
        assert_eq!(bad(shape, &|c| c.filter = vec![1.0, 2.0, 1.0]), [NetError::Filter { taps: 3 }]);
        assert_eq!(bad(shape, &|c| c.filter = vec![1.0, -1.0]), [NetError::Filter { taps: 2 }]);
        assert!(matches!(bad(shape, &|c| c.dropout = 1.0)[..], [NetError::Dropout { .. }]));
        assert!(matches!(bad(shape, &|c| c.dropout = f64::NAN)[..], [NetError::Dropout { .. }]));
        assert_eq!(
            bad(shape, &|c| c.multipliers = vec![1; 70]),
            [NetError::Halvings { size: 32, halvings: 69 }]
        );
    }
}
