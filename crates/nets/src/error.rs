//! What is wrong with the sizes of a network.

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
    /// No weights of a network say for every `r ≤ t` what a trained velocity says at `t`.
    #[error("the weights cannot be set so that the network starts as the flow: {reason}")]
    NoStart {
        /// In words.
        reason: &'static str,
    },
    /// Anything else, of a network outside the framework.
    #[error("{reason}")]
    Own {
        /// The size at fault, as an experiment file names it.
        key: &'static str,
        /// In words.
        reason: String,
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
            Self::NoStart { .. } => "clock",
            Self::Own { key, .. } => key,
        }
    }
}

/// An error for each of these sizes that is zero.
pub(crate) fn positive(sizes: &[(usize, &'static str)]) -> Vec<NetError> {
    sizes.iter().filter(|(size, _)| *size == 0).map(|&(_, key)| NetError::Zero { key }).collect()
}
