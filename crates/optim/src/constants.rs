//! The constants of Adam, which all optimizers have.

use meanflow_settings::{Length, Number, Pair, Reader, Series, Steps, Text};

/// Constants of Adam and its relatives.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamConfig {
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Decay of the first and of the second moment.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Steps over which the learning rate grows linearly to `lr`.
    pub warmup: u64,
    /// Decoupled weight decay; 0 for plain Adam.
    pub weight_decay: f64,
    /// Patterns of the paths of parameters that do not decay.
    pub weight_decay_except: Vec<String>,
}

/// What lengths in images or epochs are counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Samples of a step.
    pub batch: usize,
    /// Samples of an epoch.
    pub items: Option<usize>,
}

impl AdamConfig {
    /// Reads the constants, the learning rate under the name `lr`; `decays` says whether there is a weight decay.
    pub(crate) fn read(lr: &'static str, decays: bool, r: &mut Reader, lengths: Lengths) -> Self {
        let Lengths { batch, items } = lengths;
        let warmup = Steps { batch, items, least: 0 };
        let mut adam = Self {
            lr: r.get(lr, Number::POSITIVE, 1e-4),
            betas: r.get("betas", Pair(Number::BELOW_ONE), [0.9, 0.95]),
            eps: r.get("eps", Number::POSITIVE, 1e-8),
            warmup: r.get("warmup", warmup, Length::steps(0)).steps,
            weight_decay: 0.0,
            weight_decay_except: Vec::new(),
        };
        if decays {
            adam.weight_decay = r.get("weight-decay", Number::NOT_NEGATIVE, 0.0);
            adam.weight_decay_except = r.get("weight-decay-except", Series(Text::SOME, 0), Vec::new());
        }
        adam
    }
}
