//! `[net.*]`: the network. Each kind reads its own keys.

use super::LAYOUT;
use meanflow_data::Description;
use meanflow_nets::Networks;
use meanflow_settings::{ConfigError, Document, Reader};

/// Reads the table and checks it against the shape of the data; `None` after a problem.
pub(super) fn read<N: Networks>(root: &mut Reader, data: Option<&Description>) -> Option<N> {
    let names: Vec<&str> = N::NAMES.iter().map(|(name, _)| *name).collect();
    root.kind("net", &names, None, |kind, r| {
        let net = N::read(kind, r);
        if !r.is_sound() {
            return None;
        }
        // Without the shape of the data, constraints between keys are left for when there is one.
        for error in data.map(|data| net.check(data.shape)).unwrap_or_default() {
            r.fault(error.key(), error, None);
        }
        Some(net)
    })?
}

/// The network of a table `[net.…]` by itself, as a file of weights holds it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn of_table<N: Networks>(
    text: &str,
    shape: [usize; 3],
    classes: Option<usize>,
) -> Result<N, ConfigError> {
    let description = Description { shape, classes, items: None };
    let document = Document::of_text("net", text, LAYOUT)?;
    let (net, _) = document.read(|root, _| read(root, Some(&description))).only()?;
    Ok(net)
}
