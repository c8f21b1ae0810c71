//! A run folder as a report with its figures in files, which are drawn pixel by pixel.

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "report-files",
    seeds: &["fuzz/corpus/run"],
    together: true,
    cost: 100,
    read: |folder| {
        let out = folder.with_file_name("report");
        meanflow_report::write(&[folder.to_owned()], &out).map(drop).map_err(|error| error.to_string())
    },
};
