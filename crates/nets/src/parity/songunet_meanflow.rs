//! Kind `songunet-meanflow`: the official PyTorch MeanFlow U-Net (`Gsunshine/py-meanflow`) on random weights.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use meanflow_core::{Clock, Streams, objective::TrainBackend};
use meanflow_weights::HostTensor;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::{
    ParityError,
    inputs::{labels, per_row, sound},
    layout::Layout,
    meanflow::Case,
};
use crate::{
    SongUnet,
    init::Init,
    unet::{Encoder, TimeFeatures, UnetConfig, UnetNames},
    weights::{self, WeightsError},
};
use meanflow_parity::{ParityReport, ReferenceFile, ReferenceFileError};

pub(super) const KIND: &str = "songunet-meanflow";

/// The reference's own configuration, under its own names.
#[derive(Deserialize)]
struct Config {
    img_resolution: usize,
    in_channels: usize,
    out_channels: usize,
    label_dim: usize,
    augment_dim: usize,
    model_channels: usize,
    channel_mult: Vec<usize>,
    channel_mult_emb: usize,
    num_blocks: usize,
    attn_resolutions: Vec<usize>,
    embedding_type: String,
    channel_mult_noise: usize,
    encoder_type: String,
    decoder_type: String,
    resample_filter: Vec<f64>,
}

impl Config {
    fn unet(&self) -> Result<UnetConfig, ParityError> {
        let refuse = |key: &str, value: &dyn std::fmt::Display| {
            let reason = format!("{key} {value} is not supported");
            ParityError::from(ReferenceFileError::metadata("config", reason))
        };
        if self.out_channels != self.in_channels {
            return Err(refuse("out_channels", &self.out_channels));
        }
        if self.decoder_type != "standard" {
            return Err(refuse("decoder_type", &self.decoder_type));
        }
        // The official code passes over sides that no level has.
        let has = |side: &usize| (0..self.channel_mult.len()).any(|l| self.img_resolution >> l == *side);
        Ok(UnetConfig {
            width: self.model_channels,
            multipliers: self.channel_mult.clone(),
            blocks: self.num_blocks,
            attention: self.attn_resolutions.iter().copied().filter(has).collect(),
            embedding_multiplier: self.channel_mult_emb,
            time_features: match self.embedding_type.as_str() {
                "positional" => TimeFeatures::Positional,
                "fourier" => TimeFeatures::Fourier,
                other => return Err(refuse("embedding_type", &other)),
            },
            time_multiplier: self.channel_mult_noise,
            clock: Clock::TimeAndGap,
            encoder: match self.encoder_type.as_str() {
                "standard" => Encoder::Standard,
                "residual" => Encoder::Residual,
                other => return Err(refuse("encoder_type", &other)),
            },
            filter: self.resample_filter.clone(),
            resample_blocks: true,
            augment: self.augment_dim,
            // The file's numbers are those of a deterministic pass.
            dropout: 0.0,
        })
    }
}

pub(super) fn compare<B: TrainBackend>(
    file: &ReferenceFile,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let config: Config = file.json("config")?;
    let layout = Layout::of(file)?;
    let shape = [config.in_channels, config.img_resolution, config.img_resolution];
    let classes = Some(config.label_dim).filter(|classes| *classes > 0);
    let config = config.unet()?;
    sound(&config, shape)?;

    let batch = file.tensor("in.t")?.values.len();
    let mut inputs = vec!["in.x", "in.e", "in.t", "in.r"];
    let labels = match classes {
        Some(classes) => {
            inputs.push("in.y");
            Some(labels(file, classes, batch, device)?)
        }
        None => None,
    };
    let augment = match config.augment {
        0 => None,
        numbers if file.tensors().contains_key("in.augment_labels") => {
            inputs.push("in.augment_labels");
            let values = file.shaped("in.augment_labels", &[batch, numbers])?;
            Some(Tensor::from_data(TensorData::new(values, [batch, numbers]), device))
        }
        _ => None,
    };
    let net = SongUnet::<B>::new(&config, shape, classes, &Init::new(&Streams::new(0), device));
    let names = UnetNames::new(&config, shape);
    let net = load(net, &names, file.with_prefix("param."))?;
    let case = Case::<B, _, _> {
        names,
        net,
        x: layout.images(file, "in.x", batch, shape, device)?,
        e: layout.images(file, "in.e", batch, shape, device)?,
        labels,
        augment,
        r: per_row(file, "in.r", batch)?,
        t: per_row(file, "in.t", batch)?,
        layout,
    };
    case.compare(KIND, file, &inputs)
}

/// Fourier frequencies, a buffer.
const FREQUENCIES: &str = "map_noise.freqs";
/// The resampling filter, a buffer that belongs to the configuration.
const FILTER: &str = ".resample_filter";

/// Replaces every weight of `net` by the one of its torch name. Buffers may be there: Fourier frequencies are taken, filters are
/// passed over.
fn load<B: Backend>(
    net: SongUnet<B>,
    names: &UnetNames,
    mut weights: BTreeMap<String, HostTensor>,
) -> Result<SongUnet<B>, WeightsError> {
    weights.retain(|name, _| !name.ends_with(FILTER));
    let net = match weights.remove(FREQUENCIES) {
        Some(HostTensor { shape, values }) => net.with_fourier(&values).map_err(|expected| {
            let (name, expected) = (FREQUENCIES.to_owned(), vec![expected]);
            WeightsError::Shape { name, found: shape, expected }
        })?,
        None => net,
    };
    weights::load(net, names, &weights)
}
