//! What a kind of network must offer to be named in an experiment file.

use crate::{
    error::{NetError, positive},
    import::Convention,
    init::Init,
};
use burn::{module::Module, tensor::backend::Backend};
use core::fmt::Debug;
use meanflow_core::Backbone;
use meanflow_settings::Reader;

/// A kind of network: its settings, and the network that they describe.
///
/// Shapes of samples are `[channels, height, width]`; `classes` counts the classes without the null class, and is `None` for data
/// without.
pub trait Network: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The name in experiment files, kebab-case.
    const NAME: &'static str;

    /// What it is, in a line, with its paper.
    const ABOUT: &'static str;

    /// The network itself.
    type Module<B: Backend>: Backbone<B> + Module<B> + Sync;

    /// Reads its table of an experiment file; every problem is told to `r`, and what is returned then is of no use.
    fn read(r: &mut Reader) -> Self;

    /// Every constraint on the sizes that does not hold for samples of this shape, which has no zero.
    fn constraints(&self, shape: [usize; 3]) -> Vec<NetError>;

    /// The exact number of trainable parameters; nothing is allocated.
    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize;

    /// Floating-point operations of one evaluation of one sample: those of matrix products and convolutions, a multiplication and
    /// its addition counted as two. What is done number by number is left out.
    fn flops(&self, shape: [usize; 3]) -> f64;

    /// What a sample keeps for a backward pass, for estimates of memory.
    fn activations(&self, shape: [usize; 3]) -> Activations;

    /// Makes the network with fresh weights; the settings have been checked.
    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Self::Module<B>;

    /// Every constraint on sizes and shape that does not hold.
    fn check(&self, shape: [usize; 3]) -> Vec<NetError> {
        let [channels, height, width] = shape;
        let empty = positive(&[(channels, "channels"), (height, "height"), (width, "width")]);
        if empty.is_empty() { self.constraints(shape) } else { empty }
    }

    /// Whether scale and interval of guidance are inputs of the network.
    fn guided(&self) -> bool {
        false
    }

    /// Numbers that tell how a sample was augmented, for a network that can take them.
    fn augment_labels(&self) -> Option<usize> {
        None
    }

    /// Whether weights of `other` mean the same in this network: all but what matters in training alone is equal.
    fn computes_as(&self, other: &Self) -> bool {
        self == other
    }

    /// A start for an average velocity: the network of these settings that says for every `r ≤ t` what `flow`, of the settings
    /// `from`, says at `r = t`. What it is not told there stays as in `fresh`, and every parameter can learn.
    ///
    /// # Errors
    /// [`NetError::NoStart`]: no weights of this network say that, or the kind does not offer it, as this default does not.
    fn start_from<B: Backend>(
        &self,
        _from: &Self,
        _flow: Self::Module<B>,
        _fresh: Self::Module<B>,
    ) -> Result<Self::Module<B>, NetError> {
        Err(NetError::NoStart { reason: "this kind of network does not offer it" })
    }

    /// The names that other programs have for its weights.
    fn conventions(&self, _shape: [usize; 3]) -> Vec<Convention> {
        Vec::new()
    }
}

/// Values that a sample keeps for a backward pass, counted by tensors of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activations {
    /// Numbers of all blocks.
    pub floats: f64,
    /// Blocks that keep them.
    pub blocks: usize,
}
