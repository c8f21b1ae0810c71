//! `[objective.*]`: what the network is trained to do.

use super::eval::interval;
use meanflow_core::{
    objective::{FlowMatchingConfig, GuidanceConfig, ImfConfig, MeanFlowConfig, ObjectiveConfig, ScaleLaw},
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use meanflow_data::Description;
use meanflow_nets::NetConfig;
use meanflow_settings::{Choice, Number, Problem, Reader};

const PUBLISHED: TimeLaw = TimeLaw::LogitNormal { mean: -0.4, std: 1.0 };

/// Whether samples have classes; not known of data that could not be read.
#[derive(Clone, Copy, PartialEq)]
enum Labels {
    Known,
    Missing,
    Unknown,
}

/// Reads the table; whether the data has classes and the network takes guidance decides some defaults.
pub(super) fn read(
    root: &mut Reader,
    data: Option<&Description>,
    net: Option<&NetConfig>,
) -> Option<ObjectiveConfig> {
    let labels = match data {
        None => Labels::Unknown,
        Some(Description { classes: Some(_), .. }) => Labels::Known,
        Some(Description { classes: None, .. }) => Labels::Missing,
    };
    let names = ObjectiveConfig::NAMES.map(|(name, _)| name);
    root.kind("objective", &names, None, |kind, r| match kind {
        "flow-matching" => ObjectiveConfig::FlowMatching(FlowMatchingConfig {
            time: time(r, "time", TimeLaw::Uniform),
            weight: weight(r, Weight { p: 0.0, eps: 1e-3 }),
            label_dropout: label_dropout(r, 0.0, labels),
        }),
        "imf" => {
            let (time, time_r, pairing, share, split) = moving(r, 0.5);
            ObjectiveConfig::Imf(ImfConfig {
                time,
                time_r,
                pairing,
                share,
                split,
                weight: weight(r, Weight { p: 1.0, eps: 0.01 }),
                label_dropout: label_dropout(r, 0.1, labels),
                guidance: scale(r, labels, net),
            })
        }
        "meanflow" => {
            let (time, time_r, pairing, share, split) = moving(r, 0.25);
            let config = MeanFlowConfig {
                time,
                time_r,
                pairing,
                share,
                split,
                weight: weight(r, Weight { p: 1.0, eps: 0.01 }),
                label_dropout: label_dropout(r, 0.1, labels),
                guidance: guidance(r, labels),
            };
            if config.guidance.is_some() && config.label_dropout == 0.0 && labels == Labels::Known {
                let key = r.path("label-dropout");
                let message = format!("`{key}` must be above 0: guidance needs a trained null class");
                r.problem(Problem::new(r.at("guidance"), message));
            }
            ObjectiveConfig::MeanFlow(config)
        }
        other => unreachable!("`{other}` is not read here"),
    })
}

/// The law of the pairs of times.
fn moving(r: &mut Reader, share: f64) -> (TimeLaw, Option<TimeLaw>, Pairing, f64, Split) {
    let first = time(r, "time", PUBLISHED);
    let second = time(r, "time-r", first);
    let pairings = Choice(vec![("v0", Pairing::V0), ("v1", Pairing::V1)]);
    let pairing = r.get("pairing", pairings, Pairing::V0);
    let share = r.get("share", Number::UNIT, share);
    let splits = Choice(vec![("prefix", Split::Prefix), ("random", Split::Random)]);
    (first, Some(second), pairing, share, r.get("share-draw", splits, Split::Prefix))
}

/// `"off"`, or a table with the law of the guidance scale; on where the network takes it and the data has classes.
fn scale(r: &mut Reader, labels: Labels, net: Option<&NetConfig>) -> Option<ScaleLaw> {
    let deaf = net.is_some_and(|net| !net.guided());
    let law = r.off_or("guidance", !deaf && labels != Labels::Missing, |r| {
        let law =
            ScaleLaw { max: r.get("max", Number::POSITIVE, 8.0), beta: r.get("beta", Number::ANY, 1.0) };
        if law.max < 1.0 {
            let message = format!("`{}` must be at least 1, the scale without guidance", r.path("max"));
            r.problem(Problem::new(r.at("max"), message));
        }
        law
    })?;
    if deaf {
        let help = "leave it out, or use `[net.imf-dit]`";
        r.fault("guidance", "this network does not take guidance as an input", Some(help));
    }
    needs_classes(r, labels);
    Some(law)
}

/// Guidance is towards a class.
fn needs_classes(r: &mut Reader, labels: Labels) {
    if labels == Labels::Missing {
        let help = "leave it out, or use data with labels";
        r.fault("guidance", "guidance needs classes, the data has none", Some(help));
    }
}

/// `"uniform"`, or a table `{ logit-normal = { mean = -0.4, std = 1.0 } }`.
fn time(r: &mut Reader, key: &'static str, default: TimeLaw) -> TimeLaw {
    let (name, (mean, std)) = match default {
        TimeLaw::Uniform => ("uniform", (-0.4, 1.0)),
        // A table that leaves them out means the published ones, whatever they would be without the table.
        TimeLaw::LogitNormal { .. } if r.has(key) => ("logit-normal", (-0.4, 1.0)),
        TimeLaw::LogitNormal { mean, std } => ("logit-normal", (mean, std)),
    };
    let law = r.either(key, "a law of time", &["uniform"], &["logit-normal"], name, |name, r| match name {
        "logit-normal" => TimeLaw::LogitNormal {
            mean: r.get("mean", Number::ANY, mean),
            std: r.get("std", Number::POSITIVE, std),
        },
        _ => TimeLaw::Uniform,
    });
    law.unwrap_or(default)
}

fn weight(r: &mut Reader, default: Weight) -> Weight {
    let node = r.node("weight");
    r.nested("weight", node, |r| Weight {
        p: r.get("p", Number::NOT_NEGATIVE, default.p),
        eps: r.get("eps", Number::POSITIVE, default.eps),
    })
}

/// Data without classes has no labels to drop.
fn label_dropout(r: &mut Reader, default: f64, labels: Labels) -> f64 {
    let default = if labels == Labels::Missing { 0.0 } else { default };
    let share = r.get("label-dropout", Number::BELOW_ONE, default);
    if share > 0.0 && labels == Labels::Missing {
        let help = "leave it out, or use data with labels";
        r.fault("label-dropout", "the data has no classes", Some(help));
    }
    share
}

/// `"off"`, or a table with `omega`, `kappa` and `interval`.
fn guidance(r: &mut Reader, labels: Labels) -> Option<GuidanceConfig> {
    let guidance = r.off_or("guidance", false, |r| GuidanceConfig {
        omega: r.get("omega", Number::POSITIVE, 1.0),
        kappa: r.get("kappa", Number::BELOW_ONE, 0.0),
        interval: interval(r, [0.0, 1.0]),
    })?;
    needs_classes(r, labels);
    Some(guidance)
}
