//! `[train]`, `[optimizer.*]` and `[[ema]]`: how the weights change.

use crate::{
    ema::{Profile, decay_of_half_life, power_of_std},
    optimizer::learning_rate,
};
use meanflow_core::precision::Precision;
use meanflow_settings::{
    Choice, Flag, Length, Node, Number, Or, Pair, Period, Problem, Reader, Scalar, Series, Steps, Text,
    Within, Wrong, quote,
};

/// `[train]`: the length of a run and what happens on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Samples of a step.
    pub batch: usize,
    /// Parts of the batch that are differentiated for themselves, their gradients added.
    pub microbatches: usize,
    /// The numbers in which rows without a derivative in time are computed.
    pub precision: Precision,
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
                precision: r.get("precision", Choice(Precision::ALL.to_vec()), Precision::Full),
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
    /// Series(Text::SOME, 0) of the paths of parameters that do not decay.
    pub weight_decay_except: Vec<String>,
}

/// Constants of Muon.
#[derive(Clone, Debug, PartialEq)]
pub struct MuonConfig {
    /// Learning rate of the matrices after the warm-up, which is Adam's.
    pub lr: f64,
    /// Share of the mean gradient that a step keeps.
    pub momentum: f64,
    /// Newton–Schulz iterations.
    pub ns_steps: usize,
    /// How the learning rate depends on the shape of a matrix.
    pub adjust: Adjust,
    /// Series(Text::SOME, 0) of the paths of matrices that Adam takes.
    pub except: Vec<String>,
    /// For everything but those matrices; its weight decay is for all.
    pub adam: AdamConfig,
}

/// How Muon's learning rate depends on the shape of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjust {
    /// `√max(1, outputs/inputs)` (Jordan et al.).
    Original,
    /// `0.2·√max(outputs, inputs)` (Liu et al., arXiv 2502.16982): updates as large as AdamW's.
    MatchRmsAdamW,
}

impl MuonConfig {
    /// Whether `except` is the default, which is for all networks.
    pub fn excepts_by_default(&self) -> bool {
        self.except == NOT_HIDDEN
    }
}

/// `[optimizer.*]`.
#[derive(Clone, Debug, PartialEq)]
pub enum OptimizerConfig {
    /// Adam, without weight decay.
    Adam(AdamConfig),
    /// Adam with decoupled weight decay.
    AdamW(AdamConfig),
    /// Rectified Adam.
    RAdam(AdamConfig),
    /// Muon for matrices, Adam for the rest.
    Muon(MuonConfig),
}

/// The first and the last layers, embeddings and tables, which Muon is not meant for.
const NOT_HIDDEN: [&str; 6] =
    ["*embedder*", "*.mapping.*", "*_tokens", "*final_layer*", "*.input.*", "*.output.*"];

impl OptimizerConfig {
    /// Names of the optimizers in experiment files.
    pub const NAMES: [&str; 4] = ["adam", "adamw", "radam", "muon"];

    /// The constants that all kinds have.
    pub fn adam(&self) -> &AdamConfig {
        match self {
            Self::Adam(adam) | Self::AdamW(adam) | Self::RAdam(adam) => adam,
            Self::Muon(muon) => &muon.adam,
        }
    }

    /// The learning rate of `step` (from 0) that the log tells: that of Muon's matrices, else the only one.
    pub fn learning_rate(&self, step: u64) -> f64 {
        let lr = if let Self::Muon(muon) = self { muon.lr } else { self.adam().lr };
        learning_rate(lr, self.adam().warmup, step)
    }

    pub(super) fn read(root: &mut Reader, batch: usize, items: Option<usize>) -> Option<Self> {
        root.kind("optimizer", &Self::NAMES, Some("adam"), |kind, r| Self::of_kind(kind, r, batch, items))
    }

    /// Reads the keys of an optimizer of this kind.
    pub(super) fn of_kind(kind: &str, r: &mut Reader, batch: usize, items: Option<usize>) -> Self {
        match kind {
            "adamw" => Self::AdamW(adam("lr", true, r, batch, items)),
            "radam" => Self::RAdam(adam("lr", true, r, batch, items)),
            "muon" => Self::Muon(MuonConfig {
                lr: r.get("lr", Number::POSITIVE, 0.02),
                momentum: r.get("momentum", Number::BELOW_ONE, 0.95),
                ns_steps: r.get("ns-steps", Within(1, 99), 5),
                adjust: r.get(
                    "adjust",
                    Choice(vec![("original", Adjust::Original), ("match-rms-adamw", Adjust::MatchRmsAdamW)]),
                    Adjust::Original,
                ),
                except: r.get("except", Series(Text::SOME, 0), NOT_HIDDEN.map(str::to_owned).to_vec()),
                adam: adam("adam-lr", true, r, batch, items),
            }),
            _ => Self::Adam(adam("lr", false, r, batch, items)),
        }
    }
}

/// Adam's constants, the learning rate under the name `lr`.
fn adam(lr: &'static str, decays: bool, r: &mut Reader, batch: usize, items: Option<usize>) -> AdamConfig {
    let warmup = Steps { batch, items, least: 0 };
    let mut adam = AdamConfig {
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

/// `[[ema]]`: one exponential moving average of the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct EmaConfig {
    /// What a step keeps of the average.
    pub profile: Profile,
    /// Its name in logs and reports: the decay, the half-life or the power profile.
    pub label: String,
}

/// The relative width of an average: `power = 0` has √(1/12).
const STD: Number = Number::new(|x| x > 0.0 && x < 0.288, "be above 0 and below 0.288");

/// The keys of which an average has one.
const FORMS: [&str; 4] = ["decay", "half-life", "power", "std"];

impl EmaConfig {
    pub(super) fn read(root: &mut Reader, batch: usize, items: Option<usize>) -> Vec<Self> {
        let mut labels: Vec<String> = Vec::new();
        root.each("ema", |r| {
            let (profile, label) = Self::profile(r, batch, items);
            if labels.contains(&label) {
                let key = FORMS.into_iter().find(|key| r.has(key)).unwrap_or("decay");
                let named = label.strip_prefix(key).map_or(label.as_str(), str::trim_start);
                let message = format!("a second average of the weights with {key} {named}");
                r.problem(Problem::new(r.at(key), message));
            }
            labels.push(label.clone());
            Self { profile, label }
        })
    }

    /// `decay`, `half-life`, `power` or `std`, one of them.
    fn profile(r: &mut Reader, batch: usize, items: Option<usize>) -> (Profile, String) {
        let nodes = FORMS.map(|key| r.node(key));
        let given: Vec<&str> =
            FORMS.into_iter().zip(nodes).filter_map(|(key, node)| node.and(Some(key))).collect();
        if let [first, .., last] = given[..] {
            let message = format!("an average has a `{first}` or a `{last}`, not both");
            r.problem(Problem::new(r.at(last), message).help("keep one of them"));
        }
        let [_, half_life, power, std] = nodes;
        if let Some(node) = power {
            let power = r.read("power", node, &Number::POSITIVE);
            return (Profile::Power(power), format!("power {power}"));
        }
        if let Some(node) = std {
            let std = r.read("std", node, &STD);
            return (Profile::Power(power_of_std(std)), format!("std {std}"));
        }
        let (decay, label) = match half_life {
            Some(node) => Self::half_life(r, node, batch, items),
            None => {
                let decay = r.need("decay", Number::BELOW_ONE);
                (decay, decay.to_string())
            }
        };
        match r.get("ramp", Flag, true) {
            true => (Profile::Constant { decay, ramp: true }, label),
            false => (Profile::Constant { decay, ramp: false }, format!("{label} without ramp")),
        }
    }

    fn half_life(r: &mut Reader, node: &Node, batch: usize, items: Option<usize>) -> (f64, String) {
        let counted = Period.read(node).and_then(|every| {
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
