//! `meanflow export`.

use crate::{Done, args::Export};
use meanflow_train::model::Model;

/// Writes a run's network to one file.
pub fn run(args: Export) -> anyhow::Result<Done> {
    let model = Model::of_run(&args.run, args.ema.as_deref())?;
    model.write(&args.out)?;
    say!("weights `{}` at step {}", model.ema, model.step);
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}
