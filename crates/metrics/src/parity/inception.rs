//! Kind `fid-inception`: what pytorch-fid's Inception-v3 makes of a few pictures.
//!
//! `in.images_u8` is `[n, 3, height, width]`. The weights are `param.*`, or, to keep the file small, made by the formula that
//! the metadata entry `weights` states, for the tensors in `names`. `out.block0` is the spatial mean of the first eight
//! channels of the first block, `out.block1` and `out.block2` the spatial means of all channels of the next two.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, backend::Backend};

use super::ParityError;
use crate::networks::{FeatureNetwork, Inception, InceptionResize, Weights};
use meanflow_parity::{
    Discrepancy, ParityReport, ParityRow, ReferenceFile, ReferenceFileError, StoredNumbers,
};
use meanflow_weights::HostTensor;

pub(super) const KIND: &str = "fid-inception";

/// Single precision on both sides.
const TOLERANCE: f64 = 4e-5;

pub(super) fn compare<B: Backend>(
    file: &ReferenceFile,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let weights = weights::<B>(file)?;
    let net = Inception::<B>::new(&weights, device)
        .map_err(|error| ReferenceFileError::metadata("names", error.to_string()))?;
    let StoredNumbers { shape, values: pixels } = file.tensor("in.images_u8")?;
    let [count, channels, height, width] = shape[..] else {
        return Err(wrong("in.images_u8", format!("has the shape {shape:?} instead of four axes")));
    };
    let bytes: Vec<u8> = pixels.iter().map(|&pixel| pixel as u8).collect();
    if shape.contains(&0) || bytes.iter().zip(pixels).any(|(byte, pixel)| f64::from(*byte) != *pixel) {
        return Err(wrong("in.images_u8", format!("is not of bytes, or empty: {shape:?}")));
    }
    let network = FeatureNetwork::Inception(Box::new(net), InceptionResize::PytorchFid);
    let input = network.input(&bytes, [channels, height, width], device);
    let FeatureNetwork::Inception(net, _) = network else { unreachable!("made above") };
    let output = net.forward(input);
    let mut rows = Vec::new();
    for name in file.names("out.") {
        let got = match name {
            "out.block0" => means(output.block0.clone().narrow(1, 0, 8)),
            "out.block1" => means(output.block1.clone()),
            "out.block2" => means(output.block2.clone()),
            "out.pool3" => output.pool3.clone(),
            "out.logits" => output.logits.clone(),
            _ => {
                rows.push(ParityRow::failed(name.into(), Discrepancy::Unhandled, TOLERANCE));
                continue;
            }
        };
        let StoredNumbers { shape, values: reference } = file.tensor(name)?;
        if *shape != got.dims() {
            rows.push(ParityRow::failed(name.into(), Discrepancy::Shape, TOLERANCE));
            continue;
        }
        let got: Vec<f64> = got.into_data().iter::<f32>().map(f64::from).collect();
        rows.push(ParityRow::compare(name.into(), &got, reference, TOLERANCE));
    }
    rows.extend(
        file.names("grad.").map(|name| ParityRow::failed(name.into(), Discrepancy::Unhandled, TOLERANCE)),
    );
    debug_assert_eq!(output.pool3.dims()[0], count);
    Ok(ParityReport { kind: KIND.to_owned(), rows })
}

fn means<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 2> {
    x.mean_dim(3).mean_dim(2).flatten::<2>(1, 3)
}

fn wrong(name: &str, reason: String) -> ParityError {
    ReferenceFileError::tensor(name, reason).into()
}

fn weights<B: Backend>(file: &ReferenceFile) -> Result<Weights, ParityError> {
    let given = file.with_prefix("param.");
    if !given.is_empty() {
        return Ok(Weights::new(given));
    }
    let formula = file.metadata("weights")?;
    if !["2654435761", "40503", "12345", "0x45d9f3b"].iter().all(|constant| formula.contains(constant)) {
        let reason = format!("`{formula}` is not a formula known here");
        return Err(ReferenceFileError::metadata("weights", reason).into());
    }
    let mut names: Vec<String> = file.json("names")?;
    names.sort();
    let shapes = Inception::<B>::tensors();
    let tensors: BTreeMap<String, HostTensor> = names
        .into_iter()
        .enumerate()
        .map(|(k, name)| {
            let shape = shapes.get(&name).cloned().ok_or_else(|| {
                ReferenceFileError::metadata("names", format!("this network has no tensor `{name}`"))
            })?;
            let values = (0..shape.iter().product()).map(|i| value(&name, &shape, k, i)).collect();
            Ok((name, HostTensor { shape, values }))
        })
        .collect::<Result<_, ParityError>>()?;
    Ok(Weights::new(tensors))
}

/// Element `i` of tensor number `k`, by the formula of the metadata: a hash of both as a number in [−½, ½), scaled.
fn value(name: &str, shape: &[usize], k: usize, i: usize) -> f32 {
    let mut hash = (i as u32)
        .wrapping_mul(2_654_435_761)
        .wrapping_add((k as u32).wrapping_mul(40_503))
        .wrapping_add(12_345);
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x045d_9f3b);
    hash ^= hash >> 16;
    let u = f64::from(hash) / 4_294_967_296.0 - 0.5;
    let value = if name.ends_with("conv.weight") {
        let inputs: usize = shape[1..].iter().product();
        u * 2.0 * (6.0 / inputs as f64).sqrt()
    } else if name.ends_with("running_var") || name.ends_with("bn.weight") {
        1.0 + 0.2 * u
    } else {
        0.1 * u
    };
    value as f32
}
