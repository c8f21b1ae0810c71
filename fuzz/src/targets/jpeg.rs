//! JPEG pictures, read as PNG pictures are.

use super::png;
use crate::Target;

pub(super) const TARGET: Target =
    Target { name: "jpeg", seeds: &["fuzz/corpus/jpeg"], together: false, cost: 1, read: png::read };
