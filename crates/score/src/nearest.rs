//! `meanflow eval --nearest`: samples beside the real pictures that are nearest to them.

use crate::{
    Machine, ScoreError,
    error::{Of, ensure},
    features::{Extractor, Part, Side},
};
use meanflow_data::grid_png;
use meanflow_metrics::{Input, Memorisation, memorisation, nearest};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Samples that are shown, and real pictures beside each.
const ROWS: usize = 10;
const NEIGHBOURS: usize = 7;

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The picture.
    pub path: PathBuf,
    /// Where distances were taken.
    pub space: &'static str,
    /// Real pictures that were searched.
    pub searched: usize,
    /// Distances beside those of held-out data, where there is some.
    pub compared: Option<Memorisation>,
}

/// What samples of a run are of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    /// Updates of the weights.
    pub step: u64,
    /// Network evaluations a sample.
    pub nfe: usize,
}

/// Writes a grid, each row a sample and the real pictures that are nearest to it, and beside it a `.json` with the numbers.
///
/// Distances are those of EfficientNet-Lite0's features if its weights are there, else of pixels.
pub(crate) fn write(
    machine: &impl Machine,
    extractor: &Extractor,
    samples: &Side,
    real: &Side,
    held_out: Option<&Side>,
    drawn: Option<Drawn>,
    path: &Path,
) -> Result<Found, ScoreError> {
    let (Input::Images(ours), Input::Images(theirs)) = (&samples.source, &real.source) else {
        return Err(ScoreError::Unfit("--nearest shows pictures, and these are none".to_owned()));
    };
    ensure(ours.shape() == theirs.shape(), || {
        format!("--nearest: samples are {:?}, the real data is {:?}", ours.shape(), theirs.shape())
    })?;
    let (part, space) = match extractor.has_lite() {
        true => (Part::Lite0, "features of EfficientNet-Lite0"),
        false => (Part::Given, "pixels"),
    };
    let training = extractor.rows(machine, real, part)?;
    let k = NEIGHBOURS.min(training.nrows());
    let found = nearest(extractor.rows(machine, samples, part)?.view(), training.view(), k)?;
    let first =
        |all: &[Vec<meanflow_metrics::Neighbour>]| all.iter().map(|row| row[0].distance).collect::<Vec<_>>();
    let compared = match held_out {
        None => None,
        Some(side) => {
            let other = nearest(extractor.rows(machine, side, part)?.view(), training.view(), 1)?;
            Some(memorisation(&first(&found), &first(&other))?)
        }
    };
    let [channels, height, width] = ours.shape();
    let mut values = Vec::new();
    let rows = ROWS.min(found.len());
    for (place, neighbours) in found.iter().enumerate().take(rows) {
        values.extend(ours.rows(&samples.indices[place..=place])?);
        let indices: Vec<usize> = neighbours.iter().map(|neighbour| real.indices[neighbour.index]).collect();
        values.extend(theirs.rows(&indices)?);
    }
    let shape = [rows * (k + 1), channels, height, width];
    grid_png(&values, shape, k + 1, 64usize.div_ceil(height), path)?;
    let found = Found { path: path.to_owned(), space, searched: real.indices.len(), compared };
    let numbers = json!({
        "space": space,
        "searched": found.searched,
        "samples": samples.indices.len(),
        "step": drawn.map(|drawn| drawn.step),
        "nfe": drawn.map(|drawn| drawn.nfe),
        "held_out": held_out.map(|side| side.indices.len()),
        "median_of_samples": found.compared.map(|numbers| numbers.samples),
        "median_of_held_out": found.compared.map(|numbers| numbers.held_out),
        "close": found.compared.map(|numbers| numbers.close),
    });
    let beside = path.with_extension("json");
    meanflow_files::write(&beside, format!("{numbers:#}\n").as_bytes())
        .of(|| format!("cannot write {}", beside.display()))?;
    Ok(found)
}
