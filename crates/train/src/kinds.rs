//! What the experiment files of a program can name.

use core::fmt::Debug;
use meanflow_core::objective::{ObjectiveConfig, Objectives};
use meanflow_data::{KINDS, Kind as DataKind};
use meanflow_metrics::{METRICS, Metric};
use meanflow_nets::{NetConfig, Networks};

/// The lists of kinds that a program is made of. A program with kinds of its own lists them beside the built-in ones.
pub trait Kinds: Clone + Copy + Debug + Default + PartialEq + Send + Sync + 'static {
    /// The networks, `[net.<kind>]`.
    type Net: Networks;
    /// The objectives, `[objective.<kind>]`.
    type Objective: Objectives;
    /// The data sets, `[data.<kind>]`.
    fn data() -> Vec<&'static DataKind>;
    /// The metrics, `eval.metrics`.
    fn metrics() -> Vec<Metric>;
}

/// The kinds of this framework.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BuiltIn;

impl Kinds for BuiltIn {
    type Net = NetConfig;
    type Objective = ObjectiveConfig;

    fn data() -> Vec<&'static DataKind> {
        KINDS.to_vec()
    }

    fn metrics() -> Vec<Metric> {
        METRICS.to_vec()
    }
}
