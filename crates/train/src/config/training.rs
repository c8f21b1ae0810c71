//! `[train]`, `[optimizer.*]` and `[[ema]]`: how the weights change.

use meanflow_core::precision::Precision;
use meanflow_optim::{
    Lengths, OptimizerConfig,
    ema::{Profile, decay_of_half_life, power_of_std},
};
use meanflow_settings::{
    Choice, Flag, Length, Node, Number, Or, Period, Problem, Reader, Scalar, Steps, Within, Wrong, quote,
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

/// Reads `[optimizer.*]`; Adam if there is none.
pub(super) fn optimizer(root: &mut Reader, lengths: Lengths) -> Option<OptimizerConfig> {
    let names: Vec<&str> = OptimizerConfig::NAMES.iter().map(|(name, _)| *name).collect();
    root.kind("optimizer", &names, Some("adam"), |kind, r| OptimizerConfig::of_kind(kind, r, lengths))
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
