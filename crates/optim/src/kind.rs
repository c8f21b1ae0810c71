//! What a kind of optimizer is to the rest of the program, and the type of a list of them.

use super::{
    clip,
    constants::{AdamConfig, Lengths},
    decay::Decay,
    ema,
    record::{self, Stored},
};
use burn::{
    module::AutodiffModule,
    optim::{GradientsParams, Optimizer, adaptor::OptimizerAdaptor},
    tensor::{Tensor, backend::AutodiffBackend},
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

    /// Patterns of its key `except` that were written for this network.
    fn except(&self) -> &[String] {
        &[]
    }

    /// The rule, with no state.
    fn rule<B: AutodiffBackend, M: AutodiffModule<B> + 'static>(&self) -> Box<dyn Rule<B, M>>;
}

/// One update: what moves, and by which gradients.
pub(crate) struct Update<B: AutodiffBackend, M: AutodiffModule<B>> {
    pub(crate) module: M,
    pub(crate) gradients: GradientsParams,
    /// What gradients are multiplied with, `[1]`.
    pub(crate) scale: Option<Tensor<B::InnerBackend, 1>>,
    /// Averages of the module, each with the share that it keeps.
    pub(crate) averages: Vec<(M::InnerModule, f64)>,
}

/// A rule of updates with its state.
pub(crate) trait Rule<B: AutodiffBackend, M: AutodiffModule<B>> {
    /// The module after its decay and one update, and the averages that followed it; `rate` is the learning rate of this step for
    /// the one after the warm-up.
    fn update(&mut self, rate: &dyn Fn(f64) -> f64, update: Update<B, M>) -> (M, Vec<M::InnerModule>);

    /// Stores the state of every parameter.
    fn store(&self, module: &M, to: &mut Named);

    /// The rule with what it takes of a stored state.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape or type.
    fn restored(self: Box<Self>, module: &M, from: &mut Named) -> Result<Box<dyn Rule<B, M>>, StateError>;
}

/// An optimizer of Burn for every parameter that has a gradient.
pub(crate) struct Single<O: Stored<B::InnerBackend>, M: AutodiffModule<B>, B: AutodiffBackend> {
    pub(crate) optim: OptimizerAdaptor<O, M, B>,
    pub(crate) lr: f64,
    pub(crate) decay: Decay,
}

impl<O: Stored<B::InnerBackend> + 'static, M: AutodiffModule<B> + 'static, B: AutodiffBackend> Rule<B, M>
    for Single<O, M, B>
{
    fn update(
        &mut self,
        rate: &dyn Fn(f64) -> f64,
        Update { module, gradients, scale, averages }: Update<B, M>,
    ) -> (M, Vec<M::InnerModule>) {
        let gradients = match scale {
            Some(scale) => clip::scaled(&module, gradients, scale),
            None => gradients,
        };
        let rate = rate(self.lr);
        let module = self.decay.apply(module, &gradients, rate);
        let module = self.optim.step(rate, module, gradients);
        let averages = ema::updated(averages, &module.valid());
        (module, averages)
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
