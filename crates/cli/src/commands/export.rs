//! `meanflow export`.

use crate::{
    Done,
    args::{Export, Usage},
};
use meanflow_train::{Kinds, model::Model};

/// Writes a run's network to one file.
pub fn run<K: Kinds>(args: Export) -> anyhow::Result<Done> {
    let kind = args.out.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !["safetensors", "pth", "pt"].contains(&kind) {
        let message = format!("{}: give a file that ends in .safetensors or .pth", args.out.display());
        return Err(Usage(message).into());
    }
    let model = Model::<K>::open(&args.run, args.ema.as_deref())?;
    if args.names == "meanflow" && kind == "safetensors" {
        model.write(&args.out)?;
    } else {
        model.write_for(&args.names, &args.out)?;
    }
    say!("weights `{}` at step {}", model.ema, model.step);
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}
