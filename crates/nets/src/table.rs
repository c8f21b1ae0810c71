//! `[net.*]`: the network of a file. Each kind reads its own keys.

use crate::Networks;
use meanflow_settings::{ConfigError, Document, Kinds, Layout, Reader};

/// Reads the table and checks it against the shape of samples, `[channels, height, width]`, if that is known; `None` after a problem.
pub fn read<N: Networks>(root: &mut Reader, shape: Option<[usize; 3]>) -> Option<N> {
    let names: Vec<&str> = N::NAMES.iter().map(|(name, _)| *name).collect();
    root.kind("net", &names, None, |kind, r| {
        let net = N::read(kind, r);
        if !r.is_sound() {
            return None;
        }
        // Without the shape, constraints between keys are left for when there is one.
        for error in shape.map(|shape| net.check(shape)).unwrap_or_default() {
            r.fault(error.key(), error, None);
        }
        Some(net)
    })?
}

/// A table `[net.…]` by itself, as a file of weights holds it.
const LAYOUT: Layout = Layout { what: "network", needs: "it needs [net.…]", kinds: Kinds(&["net"]) };

/// The network of a table `[net.…]` by itself, for samples of this shape, `[channels, height, width]`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn of_table<N: Networks>(text: &str, shape: [usize; 3]) -> Result<N, ConfigError> {
    let document = Document::of_text("net", text, LAYOUT)?;
    let (net, _) = document.read(|root, _| read(root, Some(shape))).only()?;
    Ok(net)
}
