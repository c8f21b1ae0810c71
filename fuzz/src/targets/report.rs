//! A run folder as the page of a report.

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "report",
    seeds: &["fuzz/corpus/run"],
    together: true,
    cost: 10,
    read: |folder| meanflow_report::page(&[folder.to_owned()]).map(drop).map_err(|error| error.to_string()),
};
