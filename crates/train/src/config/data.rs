//! `[data.*]`: what is learnt.

use super::LAYOUT;
use meanflow_data::{DataConfig, Description, Kind, augment::LABELS};
use meanflow_nets::Networks;
use meanflow_settings::{ConfigError, Document, Problem, Reader};
use std::path::Path;

/// Reads the table and asks the data what it looks like, unless that is known; `None` after a problem.
pub(super) fn read(
    root: &mut Reader,
    kinds: &[&'static Kind],
    known: Option<Description>,
) -> Option<(DataConfig, Description)> {
    meanflow_data::read(root, kinds, known)
}

/// The data of the first variant of an experiment file, whatever else is in the file: its network may not fit the data, or not
/// be there.
///
/// # Errors
/// Everything that is wrong with the table `[data.…]`, and a file that cannot be read or is not TOML.
pub fn of_file(
    file: &Path,
    kinds: &[&'static Kind],
    overrides: &[String],
) -> Result<DataConfig, ConfigError> {
    let document = Document::load(file, overrides, LAYOUT)?.part("data");
    let ((data, _), _) = document.read(|root, _| read(root, kinds, None)).only()?;
    Ok(data)
}

/// Augmented images come with labels that say what was done; a network that does not take them would learn to draw
/// warped images.
pub(super) fn check_augmentation(root: &mut Reader, data: &DataConfig, net: &impl Networks) {
    let takes = net.augment_labels().unwrap_or(0);
    if data.augment().is_none() || takes == LABELS {
        return;
    }
    let key = format!("data.{}.augment", data.name());
    let message =
        format!("`{key}` tells the network by {LABELS} labels what was done; this one takes {takes}");
    let help = match net.augment_labels() {
        Some(_) => format!("write `augment-labels = {LABELS}` in `[net.{}]`", net.name()),
        None => "only a network with `augment-labels`, such as `[net.unet]`, takes such labels; leave `augment` out".to_owned(),
    };
    let place = root.within(&["data", data.name(), "augment"]);
    root.problem(Problem::new(place, message).help(help));
}
