//! `meanflow parity`.

use crate::{
    Done,
    args::Parity,
    device::{Work, dispatch},
};
use meanflow_core::objective::TrainBackend;
use meanflow_data::augment;
use meanflow_metrics::parity::{self as metrics, Discrepancy, Report, Row};
use meanflow_nets::parity as nets;
use meanflow_train::Kinds;
use serde_json::{Value, json};
use std::{marker::PhantomData, path::Path};

/// Compares every file; a disagreement is exit code 1.
pub fn run<K: Kinds>(args: Parity) -> anyhow::Result<Done> {
    let mut all = true;
    for file in &args.files {
        let name = file.display().to_string();
        let compared = dispatch(args.on.device, Compare { file, kinds: PhantomData::<K> });
        // Some errors name the file themselves.
        let compared = compared.map_err(|error| match format!("{error:#}").contains(&name) {
            true => error,
            false => error.context(name),
        })?;
        all &= compared.passed;
        if args.json {
            tell!("{:#}", compared.json);
        } else {
            tell!("{}\n{}", file.display(), compared.text);
        }
    }
    Ok(if all { Done::Yes } else { Done::No })
}

/// A comparison as it is shown.
struct Compared {
    passed: bool,
    text: String,
    json: Value,
}

struct Compare<'a, K> {
    file: &'a Path,
    kinds: PhantomData<K>,
}

impl<K: Kinds> Work for Compare<'_, K> {
    type Output = Compared;

    /// Each crate compares what it computes: scores and feature networks, the augmentation, and the networks.
    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Compared> {
        let file = self.file;
        let kind = metrics::kind(file)?;
        let json = |rows: Value, compared: usize, passed: bool| json!({"file": file.to_string_lossy(), "kind": kind, "rows": rows, "compared": compared, "passed": passed});
        if metrics::KINDS.contains(&kind.as_str()) || kind == augment::KIND {
            let report = if kind == augment::KIND {
                Report { kind: kind.clone(), rows: augment::parity(file)?.into_iter().map(row).collect() }
            } else {
                metrics::run::<B::InnerBackend>(file, device)?
            };
            let rows = serde_json::to_value(&report.rows)?;
            let json = json(rows, report.compared(), report.passed());
            return Ok(Compared { passed: report.passed(), text: report.to_string(), json });
        }
        let report = nets::run::<B, K::Objective>(file, device)?;
        let rows = serde_json::to_value(&report.rows)?;
        let json = json(rows, report.compared(), report.passed());
        Ok(Compared { passed: report.passed(), text: report.to_string(), json })
    }
}

fn row(quantity: augment::Quantity) -> Row {
    let discrepancy = match quantity.error {
        None => Some(Discrepancy::Unhandled),
        Some(error) if !error.is_finite() => Some(Discrepancy::NotFinite),
        Some(_) if !quantity.passes() => Some(Discrepancy::TooLarge),
        Some(_) => None,
    };
    Row {
        error: quantity.error.filter(|error| error.is_finite()),
        tolerance: augment::TOLERANCE,
        pass: discrepancy.is_none(),
        discrepancy,
        name: quantity.name,
    }
}
