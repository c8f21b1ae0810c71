//! `meanflow import`.

use crate::{
    Done,
    args::{DeviceKind, Import, Usage},
    device::{Work, dispatch},
};
use meanflow_core::objective::TrainBackend;
use meanflow_generator::{Load, Loaded};
use meanflow_train::{
    Kinds,
    config::{Comparison, Variant},
    trained,
};

/// Writes the weights of a file as a network that `sample` can use.
pub fn run<K: Kinds>(args: Import) -> anyhow::Result<Done> {
    if args.out.extension().is_none_or(|ending| ending != "safetensors") {
        let message = format!("--out {}: give a file that ends in .safetensors", args.out.display());
        return Err(Usage(message).into());
    }
    let comparison = Comparison::<K>::load(&args.experiment, &args.set)?;
    let variant = comparison.chosen(args.variant.as_slice())?[0];
    let report = dispatch(DeviceKind::Cpu, Convert { args: &args, variant })?;
    say!("{report}");
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}

struct Convert<'a, K: Kinds> {
    args: &'a Import,
    variant: &'a Variant<K>,
}

impl<K: Kinds> Work for Convert<'_, K> {
    type Output = Loaded;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Loaded> {
        let Self { args, variant } = self;
        let how = Load { prefix: args.prefix.clone(), partial: args.partial };
        Ok(trained::convert::<B::InnerBackend, K>(variant, &args.file, &how, &args.out, device)?)
    }
}
