//! `[train]`, `[optimizer.*]` and `[[ema]]`: how the weights change.

use super::{
    problem::Problem,
    reader::Reader,
    scalar::{Flag, Length, Number, Or, Pair, Steps, Within, Wrong, period, quote},
};
use crate::ema::decay_of_half_life;

/// `[train]`: the length of a run and what happens on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Samples of a step.
    pub batch: usize,
    /// Parts of the batch that are differentiated for themselves, their gradients added.
    pub microbatches: usize,
    /// Updates of the weights.
    pub steps: u64,
    /// Largest norm of the gradient over all parameters together; `None`: no clip.
    pub clip: Option<f64>,
    /// Steps between checkpoints.
    pub checkpoint: u64,
    /// How many of the newest checkpoints stay.
    pub keep_last: usize,
    /// Checkpoints at multiples of so many steps stay for good.
    pub keep_every: Option<u64>,
    /// Steps between lines of the training log.
    pub log: u64,
}

impl TrainConfig {
    pub(super) fn read(root: &mut Reader, items: Option<usize>) -> Self {
        root.section("train", |r| {
            let batch = r.need("batch", Within::SAMPLES);
            let steps = |least| Steps { batch, items, least };
            Self {
                batch,
                microbatches: r.get("microbatches", Within(1, batch.max(1)), 1),
                steps: r.need("steps", steps(1)).steps,
                clip: r.get("clip", Or("off", Number::POSITIVE), None),
                checkpoint: r.get("checkpoint", steps(1), Length::steps(500)).steps,
                keep_last: r.get("keep-last", Within(1, Within::LARGEST), 2),
                keep_every: r.get("keep-every", Or("off", steps(1)), None).map(|length| length.steps),
                log: r.get("log", steps(1), Length::steps(50)).steps,
            }
        })
    }
}

/// Constants of Adam.
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
}

/// `[optimizer.*]`.
#[derive(Clone, Debug, PartialEq)]
pub enum OptimizerConfig {
    /// Adam, without weight decay.
    Adam(AdamConfig),
    /// Adam with decoupled weight decay.
    AdamW(AdamConfig),
}

impl OptimizerConfig {
    /// Names of the optimizers in experiment files.
    pub const NAMES: [&str; 2] = ["adam", "adamw"];

    /// The constants that both kinds have.
    pub fn adam(&self) -> &AdamConfig {
        match self {
            Self::Adam(adam) | Self::AdamW(adam) => adam,
        }
    }

    pub(super) fn read(root: &mut Reader, batch: usize, items: Option<usize>) -> Option<Self> {
        root.kind("optimizer", &Self::NAMES, Some("adam"), |kind, r| {
            let warmup = Steps { batch, items, least: 0 };
            let mut adam = AdamConfig {
                lr: r.get("lr", Number::POSITIVE, 1e-4),
                betas: r.get("betas", Pair(Number::BELOW_ONE), [0.9, 0.95]),
                eps: r.get("eps", Number::POSITIVE, 1e-8),
                warmup: r.get("warmup", warmup, Length::steps(0)).steps,
                weight_decay: 0.0,
            };
            if kind == "adam" {
                return Self::Adam(adam);
            }
            adam.weight_decay = r.get("weight-decay", Number::NOT_NEGATIVE, 0.0);
            Self::AdamW(adam)
        })
    }
}

/// `[[ema]]`: one exponential moving average of the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct EmaConfig {
    /// Share of the average that a step keeps.
    pub decay: f64,
    /// Whether update `n` (from 1) keeps only `min(decay, (n+1)/(n+10))`.
    pub ramp: bool,
    /// Its name in logs and reports: the decay, or the half-life.
    pub label: String,
}

impl EmaConfig {
    pub(super) fn read(root: &mut Reader, batch: usize, items: Option<usize>) -> Vec<Self> {
        let mut labels: Vec<String> = Vec::new();
        root.each("ema", |r| {
            let (decay, label) = Self::decay(r, batch, items);
            let ramp = r.get("ramp", Flag, true);
            let label = if ramp { label } else { format!("{label} without ramp") };
            if labels.contains(&label) {
                let key = if r.has("decay") { "decay" } else { "half-life" };
                let message = format!("a second average of the weights with {key} {label}");
                r.problem(Problem::new(r.at(key), message));
            }
            labels.push(label.clone());
            Self { decay, ramp, label }
        })
    }

    /// `decay` or `half-life`, one of them.
    fn decay(r: &mut Reader, batch: usize, items: Option<usize>) -> (f64, String) {
        let half_life = r.node("half-life");
        let Some(node) = half_life else {
            let decay = r.need("decay", Number::BELOW_ONE);
            return (decay, decay.to_string());
        };
        if r.node("decay").is_some() {
            let message = "an average has a `decay` or a `half-life`, not both";
            r.problem(Problem::new(r.at("half-life"), message).help("keep one of them"));
        }
        let counted = period(node).and_then(|every| {
            let wrong = |reason| Wrong::Because(reason, "give it in images or steps".to_owned());
            match every.images(batch, items) {
                Ok(images) if images > 0.0 => Ok((every, images)),
                Ok(_) => Err(Wrong::Must("be above 0".to_owned())),
                Err(error) => Err(wrong(error.to_string())),
            }
        });
        match counted {
            Ok((every, images)) => {
                r.record("half-life", quote(&every.to_string()), Some(node));
                (decay_of_half_life(images, batch), every.to_string())
            }
            Err(wrong) => {
                r.wrong("half-life", node, wrong);
                (0.0, String::new())
            }
        }
    }
}
