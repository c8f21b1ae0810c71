//! `meanflow parity`.

use crate::{
    Done,
    args::Parity,
    device::{Work, dispatch},
};
use meanflow_core::objective::TrainBackend;
use meanflow_nets::parity::{self, ParityReport};
use serde_json::json;
use std::path::Path;

/// Compares every file; a disagreement is exit code 1.
pub fn run(args: Parity) -> anyhow::Result<Done> {
    let mut all = true;
    for file in &args.files {
        if meanflow_metrics::parity::KINDS.contains(&meanflow_metrics::parity::kind(file)?.as_str()) {
            let report = dispatch(args.on.device, CompareMetrics { file })?;
            all &= report.passed();
            if args.json {
                let (compared, passed) = (report.compared(), report.passed());
                println!(
                    "{:#}",
                    json!({"file": file, "kind": report.kind, "rows": report.rows, "compared": compared, "passed": passed})
                );
            } else {
                println!("{}", file.display());
                println!("{report}");
            }
            continue;
        }
        let report = dispatch(args.on.device, Compare { file })?;
        all &= report.passed();
        if args.json {
            let rows: Vec<_> = report
                .rows
                .iter()
                .map(|row| json!({"name": row.name, "error": row.error, "tolerance": row.tolerance, "pass": row.pass}))
                .collect();
            let (compared, passed) = (report.compared(), report.passed());
            println!(
                "{:#}",
                json!({"file": file, "kind": report.kind, "rows": rows, "compared": compared, "passed": passed})
            );
        } else {
            println!("{}", file.display());
            println!("{report}");
        }
    }
    Ok(if all { Done::Yes } else { Done::No })
}

struct Compare<'a> {
    file: &'a Path,
}

impl Work for Compare<'_> {
    type Output = ParityReport;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<ParityReport> {
        Ok(parity::run::<B>(self.file, device)?)
    }
}

/// Scores and feature networks, which live in the metrics crate.
struct CompareMetrics<'a> {
    file: &'a Path,
}

impl Work for CompareMetrics<'_> {
    type Output = meanflow_metrics::parity::Report;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Self::Output> {
        Ok(meanflow_metrics::parity::run::<B::InnerBackend>(self.file, device)?)
    }
}
