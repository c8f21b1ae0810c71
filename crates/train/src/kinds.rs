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
    /// The data sets, `[data.<kind>]`; by default the built-in ones.
    fn data() -> Vec<&'static DataKind> {
        KINDS.to_vec()
    }
    /// The metrics, `eval.metrics`; by default the built-in ones.
    fn metrics() -> Vec<Metric> {
        METRICS.to_vec()
    }
    /// The `Cargo.lock` that the program was built from, whose sha256 stands in the record of each start: by default the framework's.
    fn lock() -> &'static [u8] {
        include_bytes!("../../../Cargo.lock")
    }
}

/// The kinds of this framework.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BuiltIn;

impl Kinds for BuiltIn {
    type Net = NetConfig;
    type Objective = ObjectiveConfig;
}
