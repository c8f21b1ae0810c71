//! `meanflow data list|fetch|inspect|convert`.

use crate::{Done, args::Data};
use meanflow_data::{Conversion, DataError, Listed, contact_sheet, convert, fetch, inspect, list};
use meanflow_metrics::networks::fetch_efficientnet_lite0;
use meanflow_train::{Kinds, config::data_of_file};
use std::path::Path;

/// Weights to score with are fetched like data.
const LITE0: &str = "efficientnet-lite0";

/// Lists, fetches or looks at data.
pub fn run<K: Kinds>(command: Data) -> anyhow::Result<Done> {
    match command {
        Data::List { datasets, json } => show_list::<K>(&datasets, json),
        Data::Fetch { name, datasets } => {
            if name == LITE0 {
                let file = fetch_efficientnet_lite0(&datasets.join(&name), |line| say!("{line}"))?;
                tell!("{}", file.display());
                return Ok(Done::Yes);
            }
            let files = fetch(&K::data(), &name, &datasets.join(&name), &mut |line| say!("{line}"));
            let files = files.map_err(|error| match error {
                DataError::NotFetchable { name, known } => {
                    DataError::NotFetchable { name, known: format!("{known}, {LITE0}") }
                }
                other => other,
            })?;
            files.iter().for_each(|file| tell!("{}", file.display()));
        }
        Data::Inspect { experiment, out, json } => show::<K>(&experiment, out.as_deref(), json)?,
        Data::Convert { experiment, out, set, chunk, gzip, shard, seed, in_order } => {
            let settings = Conversion {
                chunk_rows: chunk,
                gzip,
                shard_bytes: shard << 20,
                shuffle: (!in_order).then_some(seed),
            };
            write::<K>(&experiment, &set, &out, settings)?;
        }
    }
    Ok(Done::Yes)
}

fn show_list<K: Kinds>(datasets: &Path, as_json: bool) {
    let kinds = list(&K::data(), datasets);
    if as_json {
        tell!("{:#}", kinds.iter().map(Listed::json).collect::<serde_json::Value>());
        return;
    }
    kinds.iter().for_each(|kind| tell!("{kind}"));
}

fn write<K: Kinds>(
    experiment: &Path,
    set: &[String],
    out: &Path,
    settings: Conversion,
) -> anyhow::Result<()> {
    let data = data_of_file(experiment, &K::data(), set)?.open()?;
    let (mut done, all) = (0, data.len());
    let files = convert(data.as_ref(), out, settings, &mut |rows| {
        // A line each percent at most.
        let before = 100 * done / all;
        done += rows;
        if 100 * done / all > before {
            say!("{done} of {all} samples");
        }
    })?;
    files.iter().for_each(|file| tell!("{}", file.display()));
    Ok(())
}

fn show<K: Kinds>(experiment: &Path, out: Option<&Path>, as_json: bool) -> anyhow::Result<()> {
    let data = data_of_file(experiment, &K::data(), &[])?.open()?;
    let found = inspect(data.as_ref())?;
    if as_json {
        tell!("{:#}", found.json());
    } else {
        tell!("{found}");
    }
    if let Some(out) = out {
        contact_sheet(data.as_ref(), out)?;
        say!("{}", out.display());
    }
    Ok(())
}
