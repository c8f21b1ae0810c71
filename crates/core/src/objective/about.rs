//! What an objective's settings depend on beside its own table, and the keys that several objectives have.

use meanflow_settings::{Number, Problem, Reader};

/// Whether samples have classes; not known of data that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// They have.
    Known,
    /// They have not.
    Missing,
    /// The data could not be read, which is a problem by itself.
    Unknown,
}

/// The experiment around an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Whether samples have classes.
    pub labels: Labels,
    /// Whether the network takes guidance as an input; `None` if it could not be read.
    pub guided: Option<bool>,
}

impl About {
    /// `label-dropout`; data without classes has no labels to drop.
    pub fn label_dropout(&self, r: &mut Reader, default: f64) -> f64 {
        let default = if self.labels == Labels::Missing { 0.0 } else { default };
        let share = r.get("label-dropout", Number::BELOW_ONE, default);
        if share > 0.0 && self.labels == Labels::Missing {
            r.fault("label-dropout", "the data has no classes", Some(WITH_LABELS));
        }
        share
    }

    /// `guidance`: `"off"`, or a table with the scale `omega`.
    pub fn omega(&self, r: &mut Reader, default: f64) -> Option<f64> {
        let omega = r.off_or("guidance", false, |r| r.get("omega", Number::AT_LEAST_ONE, default))?;
        self.needs_classes(r);
        Some(omega)
    }

    /// A problem if guidance was asked for and no label is dropped, so that the null class is never trained.
    pub fn needs_null_class(&self, r: &mut Reader, label_dropout: f64) {
        if label_dropout == 0.0 && self.labels == Labels::Known {
            let key = r.path("label-dropout");
            let message = format!("`{key}` must be above 0: guidance needs a trained null class");
            r.problem(Problem::new(r.at("guidance"), message));
        }
    }

    /// A problem if guidance was asked for, in the key `guidance`, and the data has no classes.
    pub fn needs_classes(&self, r: &mut Reader) {
        if self.labels == Labels::Missing {
            r.fault("guidance", "guidance needs classes, the data has none", Some(WITH_LABELS));
        }
    }
}

const WITH_LABELS: &str = "leave it out, or use data with labels";
