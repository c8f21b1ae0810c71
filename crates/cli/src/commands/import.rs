//! `meanflow import`.

use crate::{
    Done,
    args::{Import, ensure_usage},
};
use burn::backend::Flex;
use meanflow_generator::Load;
use meanflow_train::{Kinds, config::Comparison, trained};

/// Writes the weights of a file as a network that `sample` can use.
pub fn run<K: Kinds>(args: Import) -> anyhow::Result<Done> {
    ensure_usage(args.out.extension().is_some_and(|ending| ending == "safetensors"), || {
        format!("--out {}: give a file that ends in .safetensors", args.out.display())
    })?;
    let comparison = Comparison::<K>::load(&args.experiment, &args.set)?;
    let variant = comparison.chosen(args.variant.as_slice())?[0];
    let how = Load { prefix: args.prefix, partial: args.partial };
    let device = Default::default();
    let report = trained::convert::<Flex, K>(variant, &args.file, &how, &args.out, &device)?;
    say!("{report}");
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}
