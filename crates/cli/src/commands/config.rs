//! `meanflow config show`.

use crate::{Done, args::Config};
use meanflow_train::{Kinds, config::Comparison};

/// Prints every variant in full.
pub fn run<K: Kinds>(command: Config) -> anyhow::Result<Done> {
    let Config::Show { experiment, variant, set, origin } = command;
    let comparison = Comparison::<K>::load(&experiment, &set)?;
    for (index, variant) in comparison.chosen(&variant)?.into_iter().enumerate() {
        if index > 0 {
            tell!();
        }
        tell!("# {} / {}", comparison.name, variant.name);
        let resolved = &variant.resolved;
        tell_as_is!("{}", if origin { resolved.to_toml_with_origins() } else { resolved.to_toml() });
    }
    Ok(Done::Yes)
}
