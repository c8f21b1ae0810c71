//! What a kind of optimizer is to the rest of the program, and the type of a list of them.

use super::{
    constants::{AdamConfig, Lengths},
    record::{self, Stored},
};
use burn::{
    module::AutodiffModule,
    optim::{GradientsParams, Optimizer, adaptor::OptimizerAdaptor},
    tensor::backend::AutodiffBackend,
};
use core::fmt::Debug;
use meanflow_settings::Reader;
use meanflow_state::{Named, StateError};

/// A kind of optimizer: its settings, and the rule that they describe.
pub(crate) trait Kind: Clone + Debug + PartialEq {
    /// The name in experiment files.
    const NAME: &'static str;

    /// What it is, in a line, with its paper.
    const ABOUT: &'static str;

    /// Reads its table of an experiment file.
    fn read(r: &mut Reader, lengths: Lengths) -> Self;

    /// The constants that all kinds have: the warm-up and the weight decay are for every parameter.
    fn adam(&self) -> &AdamConfig;

    /// The learning rate after the warm-up that the log tells.
    fn rate(&self) -> f64 {
        self.adam().lr
    }

    /// The learning rate after the warm-up of the parameter of this path and rank.
    fn rate_of(&self, _name: &str, _rank: usize) -> f64 {
        self.adam().lr
    }

    /// Patterns of its key `except` that were written for this network.
    fn except(&self) -> &[String] {
        &[]
    }

    /// The rule, with no state.
    fn rule<B: AutodiffBackend, M: AutodiffModule<B> + 'static>(&self) -> Box<dyn Rule<B, M>>;
}

/// A rule of updates with its state.
pub(crate) trait Rule<B: AutodiffBackend, M: AutodiffModule<B>> {
    /// One update; `rate` is the learning rate of this step for the one after the warm-up.
    fn step(&mut self, rate: &dyn Fn(f64) -> f64, module: M, grads: GradientsParams) -> M;

    /// Stores the state of every parameter.
    fn store(&self, module: &M, to: &mut Named);

    /// The rule with what it takes of a stored state.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape or type.
    fn restored(self: Box<Self>, module: &M, from: &mut Named) -> Result<Box<dyn Rule<B, M>>, StateError>;
}

/// One rule for every parameter that has a gradient.
pub(crate) struct Single<O: Stored<B::InnerBackend>, M: AutodiffModule<B>, B: AutodiffBackend> {
    pub(crate) optim: OptimizerAdaptor<O, M, B>,
    pub(crate) lr: f64,
}

impl<O: Stored<B::InnerBackend> + 'static, M: AutodiffModule<B> + 'static, B: AutodiffBackend> Rule<B, M>
    for Single<O, M, B>
{
    fn step(&mut self, rate: &dyn Fn(f64) -> f64, module: M, grads: GradientsParams) -> M {
        self.optim.step(rate(self.lr), module, grads)
    }

    fn store(&self, module: &M, to: &mut Named) {
        record::store(&self.optim, module, to);
    }

    fn restored(self: Box<Self>, module: &M, from: &mut Named) -> Result<Box<dyn Rule<B, M>>, StateError> {
        Ok(Box::new(self.restore(module, from)?))
    }
}

impl<O: Stored<B::InnerBackend>, M: AutodiffModule<B>, B: AutodiffBackend> Single<O, M, B> {
    /// See [`Rule::restored`].
    pub(crate) fn restore(self, module: &M, from: &mut Named) -> Result<Self, StateError> {
        Ok(Self { optim: record::restore(self.optim, module, from)?, ..self })
    }
}

/// Makes the enum of a list of optimizers, the one `match` over them.
macro_rules! optimizers {
    ($($variant:ident($settings:ty)),+ $(,)?) => {
        /// `[optimizer.*]`: one kind of optimizer with its settings.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)] // a variant is described where its settings are
        pub enum OptimizerConfig {
            $($variant($settings),)+
        }

        impl OptimizerConfig {
            /// Name and one-line description of every optimizer, as an experiment file spells it.
            pub const NAMES: &'static [(&'static str, &'static str)] =
                &[$((<$settings as Kind>::NAME, <$settings as Kind>::ABOUT)),+];

            /// Reads the keys of an optimizer of this kind.
            ///
            /// # Panics
            /// If `kind` is none of [`Self::NAMES`].
            pub fn of_kind(kind: &str, r: &mut Reader, lengths: Lengths) -> Self {
                match kind {
                    $(<$settings as Kind>::NAME => Self::$variant(<$settings as Kind>::read(r, lengths)),)+
                    other => panic!("no optimizer is called `{other}`"),
                }
            }

            /// The constants that all kinds have.
            pub fn adam(&self) -> &AdamConfig {
                match self {
                    $(Self::$variant(kind) => kind.adam(),)+
                }
            }

            fn rate(&self) -> f64 {
                match self {
                    $(Self::$variant(kind) => kind.rate(),)+
                }
            }

            fn rate_of(&self, name: &str, rank: usize) -> f64 {
                match self {
                    $(Self::$variant(kind) => kind.rate_of(name, rank),)+
                }
            }

            fn except(&self) -> &[String] {
                match self {
                    $(Self::$variant(kind) => kind.except(),)+
                }
            }

            fn rule<B: AutodiffBackend, M: AutodiffModule<B> + 'static>(&self) -> Box<dyn Rule<B, M>> {
                match self {
                    $(Self::$variant(kind) => kind.rule(),)+
                }
            }
        }
    };
}

pub(crate) use optimizers;
