//! What a network is, before it is made: its kind and sizes, its exact parameter count, and the constraints on them.

use burn::tensor::backend::Backend;
use meanflow_core::Streams;

use crate::{
    Dit, ImfDit, Mlp, Net, SongUnet, dit::DitConfig, imf::ImfDitConfig, init::Init, mlp::MlpConfig,
    unet::UnetConfig,
};

/// A network's kind and sizes; in a file a table such as `[net.mlp]` or `[net.dit]`.
#[derive(Clone, Debug, PartialEq)]
pub enum NetConfig {
    /// Multilayer perceptron, for points in the plane.
    Mlp(MlpConfig),
    /// Diffusion transformer, for images.
    Dit(DitConfig),
    /// Transformer of improved MeanFlow, for images.
    ImfDit(ImfDitConfig),
    /// U-Net, for square images.
    Unet(UnetConfig),
}

/// A configuration that describes no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// A size that must be positive is zero.
    #[error("{key} must be at least 1")]
    Zero {
        /// Name of the size.
        key: &'static str,
    },
    /// The patch does not tile the image.
    #[error("patch {patch} does not divide the image size {height}×{width}")]
    Patch {
        /// Side of a patch, in pixels.
        patch: usize,
        /// Image height, in pixels.
        height: usize,
        /// Image width, in pixels.
        width: usize,
    },
    /// The heads do not share the width equally.
    #[error("heads {heads} does not divide width {width}")]
    Heads {
        /// Number of attention heads.
        heads: usize,
        /// Features of a token.
        width: usize,
    },
    /// Sine-cosine positions need four equal parts.
    #[error("width {width} is not a multiple of 4, which the position embedding needs")]
    Width {
        /// Features of a token.
        width: usize,
    },
    /// The hidden layer of the blocks' perceptrons is empty or not finite.
    #[error("mlp-ratio {ratio} leaves no hidden feature at width {width}")]
    Ratio {
        /// Hidden features per feature, as given.
        ratio: String,
        /// Features of a token.
        width: usize,
    },
    /// Rotary positions turn pairs of features.
    #[error("a head has {features} features (width over heads); rotary positions need an even number")]
    Rotary {
        /// Features of a head.
        features: usize,
    },
    /// More blocks in a head than there are blocks.
    #[error("head-depth {head_depth} exceeds depth {depth}, which counts the blocks of the head too")]
    HeadDepth {
        /// Blocks of a head.
        head_depth: usize,
        /// Blocks from the input to the output.
        depth: usize,
    },
    /// A U-Net's image is not square.
    #[error("a U-Net needs square images, not {height}×{width}")]
    Square {
        /// Image height, in pixels.
        height: usize,
        /// Image width, in pixels.
        width: usize,
    },
    /// The image cannot be halved as often as there are levels.
    #[error("an image of side {size} cannot be halved {halvings} times")]
    Halvings {
        /// Side of the image, in pixels.
        size: usize,
        /// Levels less one.
        halvings: usize,
    },
    /// Attention at a side that no level has.
    #[error("no level has images of side {size}; the sides are {sizes:?}")]
    Attention {
        /// The side that was asked for, in pixels.
        size: usize,
        /// The sides that there are.
        sizes: Vec<usize>,
    },
    /// A group normalisation whose groups are not equal.
    #[error("{channels} channels do not make {groups} equal groups to normalise")]
    Groups {
        /// Channels of a layer.
        channels: usize,
        /// Groups, `min(32, channels/4)`.
        groups: usize,
    },
    /// Sines and cosines of a time need two frequencies or more.
    #[error("{features} features of a time; an even number from 4 is needed (width times time-multiplier)")]
    TimeFeatures {
        /// Features of one time.
        features: usize,
    },
    /// A filter that does not halve and double images.
    #[error(
        "a filter of {taps} taps; an even number is needed, with a sum that is not zero, and no wider than the smallest image"
    )]
    Filter {
        /// Number of taps.
        taps: usize,
    },
    /// A probability outside [0, 1).
    #[error("dropout {probability} is not in [0, 1)")]
    Dropout {
        /// As given.
        probability: String,
    },
}

impl NetError {
    /// The size at fault, as an experiment file names it.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Zero { key } => key,
            Self::Patch { .. } => "patch",
            Self::Heads { .. } | Self::Rotary { .. } => "heads",
            Self::HeadDepth { .. } => "head-depth",
            Self::Width { .. } | Self::Groups { .. } | Self::TimeFeatures { .. } => "width",
            Self::Ratio { .. } => "mlp-ratio",
            Self::Square { .. } | Self::Halvings { .. } => "multipliers",
            Self::Attention { .. } => "attention",
            Self::Filter { .. } => "filter",
            Self::Dropout { .. } => "dropout",
        }
    }
}

impl NetConfig {
    /// The exact number of trainable parameters for samples `[channels, height, width]`; nothing is allocated.
    ///
    /// `classes` counts the classes without the null class, whose embedding is included.
    pub fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        match self {
            Self::Mlp(config) => config.parameters(shape, classes),
            Self::Dit(config) => config.parameters(shape, classes),
            Self::ImfDit(config) => config.parameters(shape, classes),
            Self::Unet(config) => config.parameters(shape, classes),
        }
    }

    /// Whether weights of `other` mean the same in this network: all but what matters in training alone is equal.
    pub fn computes_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unet(this), Self::Unet(other)) => {
                UnetConfig { dropout: other.dropout, ..this.clone() } == *other
            }
            _ => self == other,
        }
    }

    /// Whether the sizes fit each other and samples `[channels, height, width]`.
    ///
    /// # Errors
    /// The first constraint that does not hold.
    pub fn check(&self, shape: [usize; 3]) -> Result<(), NetError> {
        let names = ["channels", "height", "width"];
        for (size, key) in shape.into_iter().zip(names) {
            positive(size, key)?;
        }
        match self {
            Self::Mlp(config) => config.check(),
            Self::Dit(config) => config.check(shape),
            Self::ImfDit(config) => config.check(shape),
            Self::Unet(config) => config.check(shape),
        }
    }

    /// Whether scale and interval of guidance are inputs of the network.
    pub fn guided(&self) -> bool {
        matches!(self, Self::ImfDit(_))
    }

    /// Makes the network with weights drawn from `streams`.
    ///
    /// # Errors
    /// See [`NetConfig::check`].
    pub fn init<B: Backend>(
        &self,
        shape: [usize; 3],
        classes: Option<usize>,
        streams: &Streams,
        device: &B::Device,
    ) -> Result<Net<B>, NetError> {
        self.check(shape)?;
        let init = Init::new(streams, device);
        Ok(match self {
            Self::Mlp(config) => Net::Mlp(Mlp::new(config, shape, classes, &init)),
            Self::Dit(config) => Net::Dit(Dit::new(config, shape, classes, &init)),
            Self::ImfDit(config) => Net::ImfDit(ImfDit::new(config, shape, classes, &init)),
            Self::Unet(config) => Net::Unet(SongUnet::new(config, shape, classes, &init)),
        })
    }
}

/// An error that names `key` if `size` is zero.
pub(crate) fn positive(size: usize, key: &'static str) -> Result<(), NetError> {
    match size {
        0 => Err(NetError::Zero { key }),
        _ => Ok(()),
    }
}
