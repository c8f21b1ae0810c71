//! `meanflow parity`.

use crate::{
    Done,
    args::Parity,
    device::{Work, dispatch},
};
use meanflow_core::objective::TrainBackend;
use meanflow_data::augment;
use meanflow_metrics::parity as metrics;
use meanflow_nets::parity as nets;
use meanflow_parity::{ParityReport, ReferenceFile};
use meanflow_train::Kinds;
use std::{marker::PhantomData, path::Path};

/// Compares every file; a disagreement is exit code 1.
pub fn run<K: Kinds>(args: Parity) -> anyhow::Result<Done> {
    let mut all = true;
    for file in &args.files {
        let name = file.display().to_string();
        let report = dispatch(args.on.device, Compare { file, kinds: PhantomData::<K> });
        // Some errors name the file themselves.
        let report = report.map_err(|error| match format!("{error:#}").contains(&name) {
            true => error,
            false => error.context(name),
        })?;
        all &= report.passed();
        if args.json {
            tell!("{:#}", report.json(file));
        } else {
            tell!("{}\n{report}", file.display());
        }
    }
    Ok(if all { Done::Yes } else { Done::No })
}

struct Compare<'a, K> {
    file: &'a Path,
    kinds: PhantomData<K>,
}

impl<K: Kinds> Work for Compare<'_, K> {
    type Output = ParityReport;

    /// Each crate compares what it computes: scores and feature networks, the augmentation, and the networks.
    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<ParityReport> {
        let file = self.file;
        let kind = ReferenceFile::kind(file)?;
        Ok(match kind.as_str() {
            augment::KIND => augment::parity(file)?,
            kind if metrics::KINDS.contains(&kind) => metrics::run::<B::InnerBackend>(file, device)?,
            _ => nets::run::<B, K::Objective>(file, device)?,
        })
    }
}
