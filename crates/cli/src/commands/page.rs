//! `meanflow page`.

use crate::{
    Done,
    args::{Page, ensure_usage},
};
use meanflow_generator::shown;
use meanflow_page::{Generator, Runtime, check, page};
use meanflow_train::{Kinds, TrainError, folder::write_atomic, trained};
use std::path::PathBuf;

/// Writes a page in which the networks run.
pub fn run<K: Kinds>(args: Page) -> anyhow::Result<Done> {
    ensure_usage(!args.nfe.contains(&0), || "--nfe 0: at least one evaluation".to_owned())?;
    let generator = |run: &PathBuf| -> Result<Generator, TrainError> {
        Ok(shown(&trained::open::<K>(run, args.ema.as_deref())?, &args.nfe)?)
    };
    let generators = args.runs.iter().map(generator).collect::<Result<Vec<_>, _>>()?;
    check(&generators)?;
    let runtime = Runtime::open(&args.runtime, |what| say!("{what}"))?;
    let html = page(&generators, &runtime)?;
    write_atomic(&args.out, html.as_bytes())?;
    say!("{} bytes, {} of them networks", html.len(), generators.iter().map(|g| g.file.len()).sum::<usize>());
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}
