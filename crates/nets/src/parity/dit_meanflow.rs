//! Kind `dit-meanflow`: the official JAX MeanFlow DiT (`Gsunshine/meanflow`) on random weights.

use meanflow_core::{Clock, Streams, objective::TrainBackend};
use serde::Deserialize;

use super::{
    ParityError,
    inputs::{labels, per_row, sound},
    layout::Layout,
    meanflow::Case,
};
use crate::{Dit, DitConfig, flax::DitNames, init::Init, weights};
use meanflow_parity::{ParityReport, ReferenceFile};

pub(super) const KIND: &str = "dit-meanflow";

/// The reference's own configuration, under its own names.
#[derive(Deserialize)]
struct Config {
    input_size: usize,
    patch_size: usize,
    in_channels: usize,
    hidden_size: usize,
    depth: usize,
    num_heads: usize,
    mlp_ratio: f64,
    num_classes: usize,
}

pub(super) fn compare<B: TrainBackend>(
    file: &ReferenceFile,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let config: Config = file.json("config")?;
    let layout = Layout::of(file)?;
    let shape = [config.in_channels, config.input_size, config.input_size];
    let classes = config.num_classes;
    let config = DitConfig {
        patch: config.patch_size,
        width: config.hidden_size,
        depth: config.depth,
        heads: config.num_heads,
        mlp_ratio: config.mlp_ratio,
        clock: Clock::TimeAndGap,
    };
    sound(&config, shape)?;

    let batch = file.tensor("in.t")?.values.len();
    let net = Dit::<B>::new(&config, shape, Some(classes), &Init::new(&Streams::new(0), device));
    let case = Case::<B, _, _> {
        net: weights::load(net, &DitNames, &file.with_prefix("param."))?,
        names: DitNames,
        x: layout.images(file, "in.x", batch, shape, device)?,
        e: layout.images(file, "in.e", batch, shape, device)?,
        labels: Some(labels(file, classes, batch, device)?),
        augment: None,
        r: per_row(file, "in.r", batch)?,
        t: per_row(file, "in.t", batch)?,
        layout,
    };
    case.compare(KIND, file, &["in.x", "in.e", "in.t", "in.r", "in.y"])
}
