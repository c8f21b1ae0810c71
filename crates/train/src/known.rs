//! What a run folder knows of its configuration and data, so that neither the experiment file nor the data is needed again.

use crate::{
    Kinds, TrainError,
    config::{Comparison, Variant},
    folder::{Folder, read_if_present, write_atomic},
};
use meanflow_data::Description;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Its name in a run folder.
const FILE: &str = "data.json";

/// `data.json`.
#[derive(Serialize, Deserialize)]
struct Known {
    shape: [usize; 3],
    classes: Option<usize>,
    items: Option<usize>,
}

/// Writes down what the data of a run looks like.
///
/// # Errors
/// [`TrainError::Write`].
pub(crate) fn write(folder: &Folder, data: Description) -> Result<(), TrainError> {
    let Description { shape, classes, items } = data;
    let known = Known { shape, classes, items };
    let text = serde_json::to_string_pretty(&known).expect("plain values are JSON");
    write_atomic(&folder.join(FILE), format!("{text}\n").as_bytes())
}

/// What the data of a run looks like; `None` in a folder of an older version.
fn description(run: &Path) -> Result<Option<Description>, TrainError> {
    let path = run.join(FILE);
    let Some(bytes) = read_if_present(&path)? else { return Ok(None) };
    let known: Known = serde_json::from_slice(&bytes).map_err(|error| TrainError::NoRun {
        path: run.to_owned(),
        reason: format!("its {FILE} cannot be read ({error}); remove it, and the data itself is asked"),
    })?;
    let Known { shape, classes, items } = known;
    Ok(Some(Description { shape, classes, items }))
}

/// The variant that a run folder holds.
///
/// # Errors
/// [`TrainError::NoRun`] if there is no readable `config.toml`.
pub fn variant_of<K: Kinds>(run: &Path) -> Result<Variant<K>, TrainError> {
    let no_run = |reason: String| TrainError::NoRun { path: run.to_owned(), reason };
    let file = run.join("config.toml");
    if !file.is_file() {
        return Err(no_run(
            "there is no config.toml; give a folder like runs/<experiment>/<variant>".to_owned(),
        ));
    }
    let comparison = match description(run)? {
        Some(known) => Comparison::<K>::load_described(&file, known),
        None => Comparison::<K>::load(&file, &[]),
    };
    let comparison = comparison.map_err(|error| no_run(error.to_string()))?;
    comparison.variants.into_iter().next().ok_or_else(|| no_run("its config.toml has no variant".to_owned()))
}
